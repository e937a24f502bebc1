"""The target's numbers, and images of some classes; a user's collection is listed, not read."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.images.target import Target
from retrieval_vs_diffusion.planning import target_listing
from retrieval_vs_diffusion.planning.target_survey import PARTS, draw_classes, first_rows, survey_target
from tests.images.made_collections import encoded, tree, write, write_tar


class Reader:
    def __init__(self, target):
        self._target = target

    def read(self):
        return self._target


def test_a_target_in_memory_is_counted_and_cut(target):
    found = survey_target(Reader(target), classes=3, per_class=1, seed=0)
    assert found.survey.classes == target.class_names
    assert {part: sum(counts) for part, counts in found.survey.images_by_part.items()} == {
        **{"test": 20, "val": 20, "reservoir": 40}
    }
    assert len(found.labels) == 3
    for part, each in (("val", 1), ("reservoir", 2)):  # the other half is held back
        assert np.bincount(found.parts[part].labels(), minlength=10)[list(found.labels)].tolist() == [each] * 3
        assert len(found.parts[part]) == 3 * each


def test_classes_are_drawn_by_the_seed_from_all():
    assert draw_classes(1000, 3, 0) == draw_classes(1000, 3, 0)
    assert len({draw_classes(1000, 3, seed) for seed in range(5)}) == 5
    assert draw_classes(2, 3, 0) == (0, 1)


def test_a_user_s_collection_is_split_as_its_reader_splits_it(tmp_path):
    reader = LabelledImages(path=tree(tmp_path, per_class=20), val=3, test=4, reservoir_at_most=10)
    found = survey_target(reader, classes=2, per_class=2, seed=0)
    assert found.survey.classes == ("cat", "dog")
    assert found.survey.images_by_part == {"test": [4, 4], "val": [3, 3], "reservoir": [10, 10]}
    whole = reader.read()
    for part in PARTS:  # in the order in which they are to be read
        of_reader = {row["content_hash"] for row in getattr(whole, part)}
        if part == "test":  # of which none is taken
            assert part not in found.parts
            continue
        assert set(found.parts[part].column("content_hash")) <= of_reader
        assert len(found.parts[part]) == (8 if part == "reservoir" else 4)


def test_of_a_large_collection_few_images_are_read(tmp_path, monkeypatch):
    reader = LabelledImages(path=tree(tmp_path, per_class=60, classes=("cat", "dog", "eel", "fox")))
    read = []
    row = target_listing.Tally.row

    def counted(self, sample, *arguments, **columns):
        read.append(sample.key)
        return row(self, sample, *arguments, **columns)

    monkeypatch.setattr(target_listing.Tally, "row", counted)
    found = survey_target(reader, classes=2, per_class=1, seed=0)
    assert sum(map(sum, found.survey.images_by_part.values())) == 240
    assert len(read) == 2 * (1 + 2)
    assert {key.split("/")[0] for key in read} == {found.survey.classes[label] for label in found.labels}


def test_broken_images_and_copies_are_passed_over(tmp_path):
    # Of each class 9 images, two thirds of them broken or the same: of the parts' keys three times as many are tried.
    for name, seed in (("cat", 0), ("dog", 50)):
        write(tmp_path, {f"train/{name}/{each}.png": encoded(seed + each) for each in range(8)})
        write(tmp_path, {f"test/{name}/{each}.png": encoded(seed + 20 + each) for each in range(3)})
        write(
            tmp_path,
            {f"val/{name}/a.png": b"broken", f"val/{name}/b.png": encoded(seed + 40), f"val/{name}/c.png": "x"},
        )
    found = survey_target(LabelledImages(path=tmp_path), classes=2, per_class=1, seed=0)
    assert len(found.parts["val"]) == 2
    assert found.survey.images_by_part["val"] == [3, 3]  # as listed: nothing tells that they are broken


def streams(rows_read: list[str]) -> Target:
    def rows(part, number):
        for each in range(number):
            rows_read.append(part)
            yield {"image_id": f"{part}{each}", "content_hash": f"{part}{each}", "label": each % 3}

    parts = {part: ImageStream(rows(part, 30)) for part in PARTS}
    return Target(("a", "b", "c"), **parts)


def test_streams_are_gone_through_where_nothing_else_tells_how_long_they_are():
    read: list[str] = []
    found = survey_target(Reader(streams(read)), classes=2, per_class=2, seed=0)
    assert found.survey.images_by_part == {part: [10, 10, 10] for part in PARTS}
    assert len(found.parts["reservoir"]) == 8
    assert len(read) == 90


def test_first_rows_keep_the_ledger(pool):
    table = ImageTable(pool.table, {"kind": "images"})
    assert (len(first_rows(table, 5)), first_rows(table, 5).ledger) == (5, {"kind": "images"})
    assert len(first_rows(table, 10_000)) == 150


def test_a_stream_is_read_no_further():
    def rows():
        for number in range(3):
            yield {"image_id": str(number), "content_hash": str(number)}
        pytest.fail("read on")

    assert len(first_rows(ImageStream(rows()), 3)) == 3


def test_a_caption_that_is_no_utf8_is_as_the_reader_has_it(tmp_path):
    members = [
        each
        for n in range(12)
        for each in (
            (f"{n}.png", encoded(n)),
            (f"{n}.cls", "ab"[n % 2]),
            (f"{n}.json", b'{"caption": "\\ud800 a\\ndog"}'),
        )
    ]
    write_tar(tmp_path / "0.tar", members)
    reader = LabelledImages(path=tmp_path, val=1, test=1)
    found = target_listing.read_listed(reader, target_listing.list_target(reader), [0, 1], {"val": 1})
    assert found["val"].column("caption") == ["\\ud800 a dog"] * 2
