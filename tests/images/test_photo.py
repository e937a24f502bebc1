import io
import os
import struct

import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.image_files import read_image
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash
from retrieval_vs_diffusion.images.photo import fault_of, photo_row
from retrieval_vs_diffusion.images.sample import Sample
from tests.images.made_collections import encoded, noise
from tests.images.test_image_files import png_of


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth(width: int, height: int) -> Image.Image:
    """A slow gradient, which survives JPEG and resampling."""
    x, y = np.linspace(0, 255, width)[None], np.linspace(0, 255, height)[:, None]
    return Image.fromarray(np.stack([x + 0 * y, y + 0 * x, (x + y) / 2], -1).astype(np.uint8))


def row_of(image, short_side: int | None = None, **columns) -> dict:
    return photo_row(Sample("a/b.png", image), short_side, **columns)


def fault(image, match: str) -> str:
    with pytest.raises(BrokenImageError, match=match) as caught:
        row_of(image)
    return fault_of(caught.value)


def test_a_row_has_key_source_hash_and_the_columns_given():
    row = photo_row(Sample("k", encoded(1), source="https://x"), None, label=1, caption="c")
    assert (row["image_id"], row["source"], row["label"], row["caption"]) == ("k", "https://x", 1, "c")
    assert row["content_hash"] == content_hash(noise(1))
    assert row_of(encoded(1))["source"] == "a/b.png"
    ImageTable.from_rows([row])


@pytest.mark.parametrize(
    "data",
    [
        encoded(1),
        encoded(1, "JPEG"),
        saved(Image.fromarray(noise(1)).convert("L")),
        encoded(1, "JPEG", progressive=True),
    ],
)
def test_plain_png_and_jpeg_keep_their_bytes_and_decode_to_what_was_hashed(data):
    row = row_of(data, short_side=10)  # 12 x 10: its shorter side is just that
    assert row["image"]["bytes"] == data
    assert content_hash(codec.decode(data)) == row["content_hash"]


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "1", "I;16", "CMYK"])
def test_other_colours_are_encoded_anew_with_the_pixels_that_training_sees(mode):
    image = Image.fromarray(noise(1))
    if mode == "I;16":
        image = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (10, 12), dtype=np.uint16))
    else:
        image = image.convert(mode)
    data = saved(image, "JPEG" if mode == "CMYK" else "PNG")
    row = row_of(data)
    assert row["image"]["bytes"] != data
    assert np.array_equal(codec.decode(row["image"]["bytes"]), codec.decode(data))
    assert row["content_hash"] == content_hash(codec.decode(data))


def test_png_of_16_bits_a_channel_is_not_kept():
    raw = np.random.default_rng(0).integers(0, 256, (10, 1 + 12 * 6), dtype=np.uint8)
    raw[:, 0] = 0
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw.tobytes()))
    data += chunk(b"IEND", b"")
    assert row_of(data)["image"]["bytes"] != data
    assert np.array_equal(codec.decode(row_of(data)["image"]["bytes"]), read_image(data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (0, False), (3, True), (6, True)])
def test_a_photograph_on_its_side_is_stored_upright(kind, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(smooth(40, 20), kind, exif=exif)
    row = row_of(data)
    assert (row["image"]["bytes"] == data) == (not turned)
    turns = {6: -1, 3: 2}.get(orientation, 0)
    plain = codec.decode(data)
    assert row["content_hash"] == content_hash(np.rot90(plain, turns))
    assert np.array_equal(read_image(data), np.rot90(plain, turns))


def test_a_turned_photograph_is_shrunk_by_the_side_that_is_shorter():
    exif = Image.Exif()
    exif[0x0112] = 6
    row = row_of(saved(smooth(400, 200), "JPEG", exif=exif), short_side=50)
    assert codec.decode(row["image"]["bytes"]).shape == (100, 50, 3)


@pytest.mark.parametrize("animation", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(animation):
    black, white = (Image.new("RGB", (9, 9), colour) for colour in ("black", "white"))
    data = saved(black, animation, save_all=True, append_images=[white])
    row = row_of(data)
    assert codec.decode(row["image"]["bytes"]).max() == 0
    assert row["image"]["bytes"] != data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_a_large_image_is_shrunk_to_the_short_side(kind):
    row = row_of(saved(smooth(1000, 500), kind), short_side=100)
    pixels = codec.decode(row["image"]["bytes"])
    assert pixels.shape == (100, 200, 3)  # 500 / 5, 1000 / 5
    assert row["image"]["bytes"].startswith(b"\xff\xd8")  # 20,000 pixels are more than 64 x 64
    expected = np.asarray(smooth(200, 100)).astype(int)
    assert np.abs(pixels - expected).mean() < 4


def test_sides_are_rounded_and_no_size_is_enlarged():
    assert codec.decode(row_of(encoded(1, width=35, height=20), 10)["image"]["bytes"]).shape == (10, 18, 3)  # 17.5
    assert codec.decode(row_of(encoded(1, width=35, height=20), 21)["image"]["bytes"]).shape == (20, 35, 3)
    assert codec.decode(row_of(encoded(1, width=35, height=20))["image"]["bytes"]).shape == (20, 35, 3)


def test_a_file_gives_the_same_row_as_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(encoded(1))
    assert row_of(tmp_path / "a") == row_of(encoded(1))


def test_what_is_too_small_too_large_or_no_image_is_refused_by_kind(tmp_path):
    assert fault(encoded(1, width=7, height=100), r"7 x 100 pixels, at least 8 a side") == "too small"
    row_of(encoded(1, width=8, height=8))
    assert fault(png_of(10_001, 10_000), r"10001 x 10000 pixels are more") == "too large"
    assert fault(png_of(60_000, 60_000), "pixels") == "too large"
    assert fault(b"", "PNG").startswith("not a whole image")
    assert fault(b"<html>", "formats PNG, JPEG").startswith("not a whole image of the formats")
    assert fault(encoded(1, "JPEG", 100, 100)[:-2000], ".") == "not a whole image"
    assert fault(encoded(1, "PNG", 100, 100)[:-2000], ".") == "not a whole image"
    assert fault(None, "the collection has none") == "no image"
    assert fault(tmp_path / "none.png", "none.png") == "no such file"
    os.mkfifo(tmp_path / "pipe.png")
    assert fault(tmp_path / "pipe.png", "pipe.png") == "no such file"


def test_a_file_of_many_bytes_is_not_read(tmp_path):
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(256_000_001)
    assert fault(tmp_path / "sparse.png", r"256,000,001 bytes") == "too large"


def test_names_in_another_encoding_become_text_that_a_table_holds():
    row = photo_row(Sample("caf\udce9.png", encoded(1)), None)
    assert row["image_id"] == "caf\\udce9.png"
    ImageTable.from_rows([row])


def test_equal_pictures_in_several_formats_have_one_hash():
    hashes = {row_of(saved(Image.fromarray(noise(1)), kind))["content_hash"] for kind in ("PNG", "BMP", "TIFF")}
    assert len(hashes) == 1
