import json
from collections import Counter

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.img2dataset_files import Img2datasetFiles
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
    assert faults == {"unreadable .json": 1, "not downloaded": 1}
    (labelled,) = Img2datasetFiles(tmp_path, label_key="label").samples({"00000/000000000"})
    assert labelled.label == "cat"
    assert [(e.key, e.image) for e in Img2datasetFiles(tmp_path).entries()] == [(s.key, None) for s in samples]
    assert Img2datasetFiles(tmp_path).reads == (tmp_path,)


def test_a_folder_without_numbered_folders_is_refused(tmp_path):
    write(tmp_path, {"notes/x.jpg": encoded(0)})
    with pytest.raises(UserError, match=r"found no folder called 00000 or the like, as img2dataset writes them"):
        list(Img2datasetFiles(tmp_path).samples())
