import logging

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from tests.images.made_collections import encoded, tree, write, write_parquet


def tables(reader: LabelledImages) -> dict[str, ImageTable]:
    target = reader.read()
    return {
        name: ImageTable.from_rows(part, part.ledger)
        for name in ("test", "val", "reservoir")
        for part in [getattr(target, name)]
    }


def ids(parts: dict[str, ImageTable]) -> set[str]:
    return {each for table in parts.values() for each in table.column("image_id")}


def test_a_picture_under_two_labels_is_left_out_wherever_it_stands(tmp_path, caplog):
    tree(tmp_path, train=3, val=3, test=3)
    one, two = encoded(91), encoded(92)
    write(tmp_path, {"test/cat/x.png": one, "train/dog/x.png": one, "train/dog/x2.png": one})
    write(tmp_path, {"val/cat/y.png": two, "val/dog/y.png": two, "train/cat/z.png": encoded(93)})
    with caplog.at_level(logging.WARNING):
        parts = tables(LabelledImages(tmp_path))
    assert "train/cat/z.png" in ids(parts)
    assert not [each for each in ids(parts) if each.rpartition("/")[2].startswith(("x", "y"))]
    counted = {
        name: [table.ledger[fate] for fate in ("read", "used", "contradictory", "duplicate")]
        for name, table in parts.items()
    }
    assert counted == {"test": [7, 6, 1, 0], "val": [8, 6, 2, 0], "reservoir": [9, 7, 2, 0]}
    assert (
        "left out of all parts: 5 images whose exact copies have another label, e.g. 'test/cat/x.png' ('cat') and "
        "'train/dog/x.png' ('dog'); 'val/cat/y.png' ('cat') and 'val/dog/y.png' ('dog')"
    ) in caplog.text
    assert caplog.text.count("left out of all parts") == 1


def test_of_a_table_too_and_copies_of_one_label_count_once(tmp_path):
    images = [encoded(n) for n in range(16)] + [encoded(50)] * 2 + [encoded(51)] * 2
    write_parquet(tmp_path / "0.parquet", {"image": images, "label": ["a", "b"] * 9 + ["a", "a"]})
    parts = tables(LabelledImages(tmp_path, val=2, test=2))
    numbers = {int(each.rpartition("/")[2]) for each in ids(parts)}
    assert numbers - {18, 19} == set(range(16))
    assert len(numbers & {18, 19}) == 1


def test_files_of_one_size_with_one_label_are_not_read_before_their_part(tmp_path, monkeypatch):
    from retrieval_vs_diffusion.images.readers import contradictions

    tree(tmp_path, train=2, val=1, test=1)
    write(tmp_path, {f"train/cat/{n}.bmp": encoded(n, "BMP", width=30) for n in (71, 72)})
    write(tmp_path, {"train/cat/empty.png": b"", "train/dog/empty.png": b""})
    read = []
    original = contradictions._digest_of_file
    monkeypatch.setattr(contradictions, "_digest_of_file", lambda file: read.append(file.name) or original(file))
    tables(LabelledImages(tmp_path))
    assert not [name for name in read if name.endswith(".bmp") or name == "empty.png"]


def test_a_class_that_has_nothing_else_is_told_why(tmp_path):
    tree(tmp_path, train=2, val=1, test=1)
    write(tmp_path, {"train/cat/copy.png": (tmp_path / "val/dog/0.png").read_bytes()})
    message = (
        r'class "dog" has no image left in the part val, of .* copies of others, and 1 are there under another label'
    )
    with pytest.raises(UserError, match=message):
        tables(LabelledImages(tmp_path))
