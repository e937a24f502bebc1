from collections import Counter

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from tests.images.made_collections import encoded, write


def csv_of(tmp_path, text: str, name: str = "labels.csv"):
    return write(tmp_path, {name: text}) / name


def test_lines_are_images_beside_the_csv(tmp_path):
    path = csv_of(tmp_path, "path,label,split\nimages/a.png,cat,train\n./images//b.png, dog ,validation\nc.png,,test\n")
    samples = list(LabelsCsv(path).samples())
    assert [(s.key, s.label, s.part) for s in samples] == [
        ("images/a.png", "cat", "train"),
        ("images/b.png", "dog", "val"),
        ("c.png", None, "test"),
    ]
    assert samples[0].image == tmp_path / "images/a.png"
    assert [entry.image for entry in LabelsCsv(path).entries()] == [None] * 3
    assert [sample.key for sample in LabelsCsv(path).samples({"c.png"})] == ["c.png"]


def test_what_it_reads_is_the_csv_and_where_the_images_are(tmp_path):
    elsewhere = tmp_path / "elsewhere/deep"
    csv_of(tmp_path / "set", f"path,label\nimages/x/a.png,cat\nb.png,dog\n{elsewhere}/c.png,cat\n")
    folder = tmp_path / "set"
    assert LabelsCsv(folder).reads == (folder / "labels.csv", *sorted([folder / "b.png", folder / "images", elsewhere]))


def test_absolute_paths_windows_paths_a_byte_order_mark_and_tabs(tmp_path):
    path = csv_of(tmp_path, f"\ufefffile\tclass\n{tmp_path}/x.png\tcat\nimages\\y.png\tdog\n", "labels.tsv")
    assert [sample.image for sample in LabelsCsv(path).samples()] == [tmp_path / "x.png", tmp_path / "images/y.png"]


def test_columns_can_be_named(tmp_path):
    path = csv_of(tmp_path, "photo,breed,path,label,fold\na.png,poodle,x,y,test\n")
    (sample,) = LabelsCsv(path, image_column="photo", label_column="breed", split_column="fold").samples()
    assert (sample.key, sample.label, sample.part) == ("a.png", "poodle", "test")


def test_an_image_that_is_listed_twice_counts_once(tmp_path):
    path = csv_of(tmp_path, "path,label\na.png,cat\n./a.png,cat\nb.png,dog\n")
    faults = Counter()
    assert [sample.key for sample in LabelsCsv(path).samples(None, faults)] == ["a.png", "b.png"]
    assert faults == {"listed twice": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,cat\na.png,dog\n", r'line 3 says "dog" of a.png, an earlier one "cat"; an image has one'),
        ("path,label\n../a.png,cat\n", r'line 2 names "../a.png", which leaves its folder; an absolute path will do'),
        ("path,label\nx/../../a.png,cat\n", r"line 2 names .* leaves its folder"),
        ("path,label\n,cat\n", r"line 2 names no file in the column path"),
        ("path,label\n.,cat\n", r"line 2 names no file"),
        ("path,label,split\na.png,cat,holdout\n", r'line 2 has the split "holdout"; one of train, val, test will do'),
        ("path,label\na.png,cat,x\n", r"line 2 has 3 cells, the header 2; a cell that holds the separator stands in"),
        ("path,breed\na.png,cat\n", r"no column for the label; name it as label_column; its columns are: path, breed"),
        (
            "photo,label\na.png,cat\n",
            r"no column for the image; name it as image_column; its columns are: photo, label",
        ),
        ("path,file,label\na,b,cat\n", r"several columns may be the image; name it as image_column"),
        ("path,path\n", r"the first line must name each column once; found \['path', 'path'\]"),
        ("", r"the first line must name each column once; found \[\]"),
        ('path,label\n"a.png,cat\n', r"cannot be read after line 0 \(unexpected end of data\); a CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        list(LabelsCsv(csv_of(tmp_path, text)).entries())
    assert "\n" not in str(caught.value)


def test_a_named_column_that_is_not_there(tmp_path):
    message = r'there is no column "breed" \(label_column\); its columns are: path, label'
    with pytest.raises(UserError, match=message):
        list(LabelsCsv(csv_of(tmp_path, "path,label\n"), label_column="breed").entries())


def test_other_encodings_missing_files_and_several_lists_are_refused(tmp_path):
    write(tmp_path, {"labels.csv": "path,label\nä.png,cat\n".encode("latin-1")})
    with pytest.raises(UserError, match=r"labels.csv: cannot be read .*; a CSV in UTF-8 with a header will do"):
        list(LabelsCsv(tmp_path).entries())
    write(tmp_path, {"more.tsv": ""})
    with pytest.raises(UserError, match=r"one CSV or TSV is needed here, found labels.csv, more.tsv; give the path"):
        list(LabelsCsv(tmp_path).entries())
    write(tmp_path / "empty", {"a.png": encoded(0)})
    with pytest.raises(UserError, match=r"needed here, found none; give the path of the file itself"):
        list(LabelsCsv(tmp_path / "empty").entries())
