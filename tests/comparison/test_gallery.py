import base64
import io

import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.comparison.gallery import LARGEST_SIDE, LONGEST_TEXT, pictures
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row


def table(side: int = 16, **columns) -> ImageTable:
    return ImageTable.from_rows([image_row(np.full((side, side, 3), 90, np.uint8), "a", label=1, **columns)])


def only(images: ImageTable) -> dict:
    (picture,) = pictures(images, ["zero", "one"], "text")
    return picture


def test_a_picture_carries_its_class_similarity_prompt_and_caption():
    picture = only(table(caption="a two", similarity=0.25, prompt="a photo of a one"))
    assert (picture["label"], picture["class_name"]) == (1, "one")
    assert picture["alt"] == "one, used by text"
    assert picture["facts"] == [("similarity", "0.250"), ("prompt", "a photo of a one"), ("caption", "a two")]
    assert picture["refused"] is None
    assert only(table())["facts"] == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("leak: correlates 0.97 with test image 12", "leak: correlates 0.97 with test image 12"),
        ("below_floor: similarity 0.610 is under 0.75", "below the floor: similarity 0.610 is under 0.75"),
        ("black", "black"),
    ],
)
def test_a_refused_picture_says_why(written, shown):
    picture = only(table(refused=written))
    assert picture["refused"] == shown
    assert picture["alt"] == f"one, refused by text: {shown}"


def test_a_caption_of_a_megabyte_is_cut():
    picture = only(table(caption="x" * 1_000_000))
    assert picture["facts"] == [("caption", "x" * LONGEST_TEXT + "…")]


@pytest.mark.parametrize("side", [16, 80, 600])
def test_pictures_are_embedded_as_what_they_are_and_large_ones_smaller(side):
    images = table(side=side)
    kind, data = only(images)["data"].removeprefix("data:image/").split(";base64,")
    raw = base64.b64decode(data)
    assert kind == ("png" if side == 16 else "jpeg")  # above 64 pixels a table holds JPEGs
    if side <= LARGEST_SIDE:
        assert raw == next(images.encoded())
    assert Image.open(io.BytesIO(raw)).size == (min(side, LARGEST_SIDE),) * 2


def test_a_broken_picture_is_a_grey_square_and_not_the_end_of_the_report():
    rows = table(refused="broken").table.to_pylist()
    rows[0]["image"]["bytes"] = b"\x89PNG no more"
    picture = only(ImageTable.from_rows(rows))
    raw = base64.b64decode(picture["data"].split(",")[1])
    assert Image.open(io.BytesIO(raw)).getpixel((3, 3)) == (128, 128, 128)
