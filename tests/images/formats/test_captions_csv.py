from collections import Counter

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.digest import digest_of_collection
from retrieval_vs_diffusion.images.formats.captions_csv import CaptionsCsv
from tests.images.made_collections import write


@pytest.mark.parametrize(
    "header", ["path,caption", "file,text", "file_name,TEXT", "image,caption", "filename,Caption", "Image,alt_text"]
)
def test_usual_columns_are_known(tmp_path, header):
    write(tmp_path, {"captions.csv": f'{header}\na/1.jpg,"a dog, on grass"\n2.jpg,\n'})
    samples = list(CaptionsCsv(tmp_path).samples())
    assert [(s.key, s.caption, s.image) for s in samples] == [
        ("a/1.jpg", "a dog, on grass", tmp_path / "a/1.jpg"),
        ("2.jpg", None, tmp_path / "2.jpg"),
    ]
    assert CaptionsCsv(tmp_path).reads == (tmp_path / "captions.csv", tmp_path / "2.jpg", tmp_path / "a")
    assert [entry.image for entry in CaptionsCsv(tmp_path).entries()] == [None, None]


def test_of_several_captions_the_first_counts(tmp_path):
    write(tmp_path, {"captions.tsv": "image\tcaption\tlabel\na.jpg\tone\tcat\na.jpg\ttwo\tcat\nb.jpg\tthree\t\n"})
    faults = Counter()
    samples = list(CaptionsCsv(tmp_path / "captions.tsv").samples(None, faults))
    assert [(s.caption, s.label) for s in samples] == [("one", "cat"), ("three", None)]
    assert faults == {"listed twice": 1}
    assert [s.key for s in CaptionsCsv(tmp_path).samples({"b.jpg"})] == ["b.jpg"]


def test_columns_can_be_named(tmp_path):
    write(tmp_path, {"c.csv": "a,b,c\nx.jpg,says,cat\n"})
    (sample,) = CaptionsCsv(tmp_path, image_column="a", caption_column="b", label_column="c").samples()
    assert (sample.key, sample.caption, sample.label) == ("x.jpg", "says", "cat")


def test_a_missing_caption_column_lists_the_columns(tmp_path):
    write(tmp_path, {"c.csv": "file,title\nx.jpg,says\n"})
    message = r"found no column for the caption; name it as caption_column; its columns are: file, title"
    with pytest.raises(UserError, match=message):
        list(CaptionsCsv(tmp_path).samples())
    with pytest.raises(UserError, match=r'no column "says" \(caption_column\)'):
        list(CaptionsCsv(tmp_path, caption_column="says").samples())


def test_what_it_reads_is_the_csv_and_where_the_images_are(tmp_path):
    images, folder = tmp_path / "images", tmp_path / "lists"
    write(folder, {"pool.csv": f"path,caption\n{images}/a.png,a\n{images}/deep/b.png,b\nx/y/c.png,c\n"})
    assert CaptionsCsv(folder).reads == (folder / "pool.csv", images, folder / "x")
    write(folder, {"pool.csv": "path,caption\n../a.png,a\n"})
    assert CaptionsCsv(folder).reads == (folder / "pool.csv",)


def test_images_that_are_listed_by_absolute_paths_count_in_the_fingerprint(tmp_path):
    images = write(tmp_path / "images", {"a.png": b"one"})
    write(tmp_path / "lists", {"pool.csv": f"path,caption\n{images}/a.png,a\n"})
    before = digest_of_collection(CaptionsCsv(tmp_path / "lists").reads)
    write(images, {"a.png": b"two"})
    assert digest_of_collection(CaptionsCsv(tmp_path / "lists").reads) != before


def test_what_it_says_of_unsafe_images_is_known(tmp_path):
    lines = ["a.png,a,0.99,0,UNLIKELY", "b.png,b,,0.9,NSFW", "c.png,c, nan ,,", "d.png,d,0.1,0.2,UNSURE"]
    write(tmp_path, {"c.csv": "file,text,PUNSAFE,pwatermark,NSFW\n" + "\n".join(lines)})
    samples = list(CaptionsCsv(tmp_path).samples())
    assert [(s.unsafe, s.watermark) for s in samples] == [(0.99, 0), (1, 0.9), (None, None), (0.1, 0.2)]
    write(tmp_path, {"c.csv": "file,text,punsafe\na.png,a,0.1\nb.png,b,very\n"})
    with pytest.raises(UserError, match=r'c\.csv: line 3 has the punsafe "very"; a number from 0 to 1, or nothing'):
        list(CaptionsCsv(tmp_path).samples())
