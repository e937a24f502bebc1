import json
from collections import Counter

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.img2dataset_files import Img2datasetFiles
from retrieval_vs_diffusion.images.image_files import LINKS_OUT
from tests.images.made_collections import encoded, write


def test_what_stands_beside_an_image_describes_it(tmp_path):
    about = {"url": "https://x/0", "status": "success", "caption": "json says", "punsafe": 0.9, "pwatermark": 0.1}
    write(
        tmp_path,
        {
            "00000/000000000.jpg": encoded(0),
            "00000/000000000.txt": "a dog",
            "00000/000000000.json": json.dumps({**about, "label": "cat"}),
            "00001/000010000.png": encoded(1),
            "00001/000010000.json": json.dumps({"caption": "json says"}),
            "00001/000010001.jpg": encoded(2),
            "00001/000010001.json": "{",
            "00001/000010002.jpg": b"",
            "00001/000010002.json": json.dumps({"status": "failed_to_resize"}),
            "00000.parquet": "",
            "notes/x.jpg": encoded(3),
        },
    )
    faults = Counter()
    samples = list(Img2datasetFiles(tmp_path).samples(None, faults))
    assert [(s.key, s.caption, s.source, s.label) for s in samples] == [
        ("00000/000000000", "a dog", "https://x/0", None),
        ("00001/000010000", "json says", str(tmp_path / "00001/000010000.png"), None),
        ("00001/000010001", None, str(tmp_path / "00001/000010001.jpg"), None),
    ]
    assert (samples[0].unsafe, samples[0].watermark, samples[1].unsafe) == (0.9, 0.1, None)
    assert samples[0].image == tmp_path / "00000/000000000.jpg"
    assert faults == {"unreadable .json": 1, "not downloaded": 1, "beside the numbered folders": 1}
    (labelled,) = Img2datasetFiles(tmp_path, label_key="label").samples({"00000/000000000"})
    assert labelled.label == "cat"
    assert [(e.key, e.image) for e in Img2datasetFiles(tmp_path).entries()] == [(s.key, None) for s in samples]
    assert Img2datasetFiles(tmp_path).reads == (tmp_path,)


def test_endings_in_any_letters_are_read(tmp_path):
    write(tmp_path, {"00000/a.JPG": encoded(0), "00000/a.TXT": "a dog", "00000/a.Json": json.dumps({"punsafe": 0.9})})
    write(tmp_path, {"00000/b.jpg": encoded(1), "00000/b.TXT": "old", "00000/b.txt": "a cat"})
    read = [(sample.caption, sample.unsafe) for sample in Img2datasetFiles(tmp_path).samples()]
    assert read == [("a dog", 0.9), ("a cat", None)]


def test_what_is_no_image_is_counted(tmp_path):
    write(tmp_path, {"00000/a.jpg": encoded(0), "00000/b.heic": b"", "x.jpg": encoded(1), "more/y.jpg": encoded(2)})
    (tmp_path / "00000/c.jpg").symlink_to("../x.jpg")  # inside of the collection
    (tmp_path / "00000/d.jpg").symlink_to("/etc/hostname")
    faults = Counter()
    keys = [sample.key for sample in Img2datasetFiles(tmp_path).samples(None, faults)]
    assert keys == ["00000/a", "00000/c"]
    assert faults == {".heic": 1, LINKS_OUT: 1, "beside the numbered folders": 2}


def test_a_folder_without_numbered_folders_is_refused(tmp_path):
    write(tmp_path, {"notes/x.jpg": encoded(0)})
    with pytest.raises(UserError, match=r"found no folder called 00000 or the like, as img2dataset writes them"):
        list(Img2datasetFiles(tmp_path).samples())
