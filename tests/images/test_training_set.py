import dataclasses

import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.training_set import TrainingSet
from tests.images.hostile import CAPTIONS, hostile_set


def test_originals_come_first_and_keys_are_plain_and_unique():
    images = list(hostile_set().images())
    assert [image.origin for image in images] == ["original"] * 10 + ["added"] * 5  # 5 classes of 2 and of 1
    keys = [image.key for image in images]
    assert (keys[0], keys[-1]) == ("original-000000", "added-000004")
    assert len(set(keys)) == len(hostile_set()) == 15


def test_the_extension_is_what_the_bytes_are():
    extensions = [image.extension for image in hostile_set().images()]
    assert extensions == ["png"] * 10 + ["jpg"] * 5  # 8 x 8 is lossless, 80 x 80 is not


def test_bytes_that_are_neither_png_nor_jpeg_are_refused(red_and_blue):
    rows = red_and_blue([0]).table.to_pylist()
    rows[0]["image"]["bytes"] = b"GIF89a"
    broken = TrainingSet(("red",), ImageTable.from_rows(rows), None, 0)
    with pytest.raises(ValueError, match=r"b'GIF89a' is neither PNG nor JPEG"):
        list(broken.images())


def test_the_text_is_the_caption_else_the_prompt_else_nothing():
    images = list(hostile_set().images())
    assert [image.text for image in images[:10]] == [caption or "" for caption in CAPTIONS]
    assert {image.text for image in images[10:]} == {"=a prompt"}


def test_a_strategy_that_adds_nothing_has_its_originals_alone():
    alone = dataclasses.replace(hostile_set(), added=None)
    assert len(alone) == len(list(alone.images())) == 10
