import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.images.codec import BrokenImageError, decode, encode


def noise(side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def saved(image: Image.Image, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format)
    return buffer.getvalue()


def test_small_images_come_back_bit_for_bit():
    pixels = noise(64)  # 64 x 64 pixels is the largest that is kept without loss
    assert encode(pixels).startswith(b"\x89PNG")
    assert np.array_equal(decode(encode(pixels)), pixels)


def test_large_images_are_jpegs_close_to_what_they_were():
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    pixels = np.stack([np.tile(ramp, (128, 1))] * 3, axis=-1)
    data = encode(pixels)
    assert data.startswith(b"\xff\xd8")
    assert len(data) < pixels.nbytes / 10  # 49,152 bytes of pixels
    assert np.abs(decode(data).astype(int) - pixels).max() <= 4


@pytest.mark.parametrize("side", [16, 80])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_image_is_broken(side, kept):
    data = encode(noise(side))
    with pytest.raises(BrokenImageError, match="not a whole PNG or JPEG image"):
        decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("format", ["GIF", "BMP", "WEBP"])
def test_other_formats_are_refused(format):
    with pytest.raises(BrokenImageError, match="cannot identify"):
        decode(saved(Image.fromarray(noise(16)), format))


def test_a_web_page_is_no_image():
    with pytest.raises(BrokenImageError, match=r"\(19 bytes\)"):
        decode(b"<html>gone</html>\r\n")


def test_an_image_that_claims_to_be_gigantic_is_broken_and_not_unpacked():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)  # 3.6 thousand million pixels in 80 bytes
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(BrokenImageError):
        decode(bomb)


def test_grey_and_palette_images_become_rgb():
    grey = Image.fromarray(np.full((4, 4), 7, np.uint8))
    assert decode(saved(grey)).tolist() == np.full((4, 4, 3), 7).tolist()
    palette = Image.fromarray(noise(4)).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    assert np.array_equal(decode(saved(palette)), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize(("largest", "is_read"), [(255, False), (1027, False), (1028, True)])
def test_sixteen_bit_grey_that_would_be_black_is_refused(largest, is_read):
    image = saved(Image.fromarray(np.array([[0, largest]], dtype=np.uint16)))
    if is_read:
        assert decode(image).max() == 4  # 1028 / 257, 1/64 of 256
    else:
        with pytest.raises(BrokenImageError, match=r"^too dark: 16-bit or float values that use less than 1/64"):
            decode(image)


def test_sixteen_bit_grey_keeps_its_shades():
    shades = np.array([[0, 64 * 257, 128 * 257, 255 * 257]], dtype=np.uint16)  # 257: 8-bit v is v * 257 in 16 bits
    assert decode(saved(Image.fromarray(shades)))[0, :, 0].tolist() == pytest.approx([0, 64, 128, 255], abs=1)
