"""Pictures of the corpus that are odd, and must be read rightly all the same."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

from tests.hostile_pool.corpus import Picture
from tests.images.made_collections import noise

WIDTH, HEIGHT = 12, 10


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """A chunk of PNG."""
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG, made by hand: ``rows`` with a filter byte before each."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def rows_of(pixels: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def smooth(seed: int, width: int = 48, height: int = 40) -> np.ndarray:
    """A gradient between random colours, which JPEG keeps within a few steps."""
    corners = noise(seed, 2, 2)
    image = Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def plain(seed: int) -> Image.Image:
    return Image.fromarray(noise(seed, WIDTH, HEIGHT))


def odd_pictures() -> Iterator[Picture]:
    yield from _wrong_endings()
    yield from _colours()
    yield from _animations()
    yield from _exif()
    yield from _with_something_else()
    yield from _sizes()


def _wrong_endings() -> Iterator[Picture]:
    for number, (kind, ending) in enumerate(
        [("PNG", "jpg"), ("GIF", "png"), ("BMP", "jpeg"), ("TIFF", "gif"), ("PNG", "webp"), ("BMP", "tiff")]
    ):
        image = plain(100 + number)
        if kind == "GIF":
            image = image.quantize(256)
        yield Picture(f"{kind.lower()}_named.{ending}", saved(image, kind), np.asarray(image.convert("RGB")))
    yield Picture("jpeg_named.png", saved(Image.fromarray(smooth(107)), "JPEG", quality=95), smooth(107), off_by=3)


def _colours() -> Iterator[Picture]:
    grey = noise(110)[..., 0]
    yield Picture("grey.png", saved(Image.fromarray(grey), "PNG"), np.repeat(grey[..., None], 3, 2))
    palette = plain(111).quantize(200)
    yield Picture("palette.png", saved(palette, "PNG"), np.asarray(palette.convert("RGB")))
    yield Picture("palette_clear.gif", saved(palette.rotate(180), "GIF", transparency=0), _turned(palette))
    alpha = np.concatenate([noise(112), noise(113)[..., :1]], 2)
    yield Picture("alpha.png", saved(Image.fromarray(alpha), "PNG"), alpha[..., :3])
    two = noise(114)[..., :2]
    yield Picture("grey_alpha.png", saved(Image.fromarray(two, "LA"), "PNG"), np.repeat(two[..., :1], 3, 2))
    bits = noise(115)[..., 0] > 127
    yield Picture("one_bit.png", saved(Image.fromarray(bits), "PNG"), np.repeat(bits[..., None] * np.uint8(255), 3, 2))
    deep = np.random.default_rng(116).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    shades = np.repeat((deep // 257).astype(np.uint8)[..., None], 3, 2)
    yield Picture("grey16.png", saved(Image.fromarray(deep), "PNG"), shades)
    yield Picture("grey16.tiff", saved(Image.fromarray(deep[::-1].copy()), "TIFF"), shades[::-1])
    rgb16 = np.random.default_rng(117).integers(0, 256, (HEIGHT, WIDTH, 3, 2), dtype=np.uint8)  # high byte, low byte
    yield Picture("rgb16.png", png(WIDTH, HEIGHT, rows_of(rgb16), depth=16), rgb16[..., 0])
    floats = noise(118)[..., 0].astype(np.float32)
    floats[0, :3] = np.nan, np.inf, -np.inf
    shown = np.repeat(noise(118)[..., :1], 3, 2)
    yield Picture("floats.tiff", saved(Image.fromarray(floats), "TIFF"), shown, off_by=8)  # 3 of 120 pixels are none
    cmyk = Image.fromarray(smooth(119)).convert("CMYK")
    yield Picture("cmyk.jpg", saved(cmyk, "JPEG", quality=98), np.asarray(cmyk.convert("RGB")), off_by=4)
    yield Picture("cmyk.tiff", saved(cmyk.rotate(180), "TIFF"), np.asarray(cmyk.rotate(180).convert("RGB")))
    lab = Image.fromarray(noise(120), "LAB")
    yield Picture("lab.tiff", saved(lab, "TIFF"), np.asarray(lab.convert("RGB")))
    progressive = saved(Image.fromarray(smooth(121)), "JPEG", quality=98, progressive=True)
    yield Picture("progressive.jpg", progressive, smooth(121), off_by=3)


def _turned(image: Image.Image) -> np.ndarray:
    return np.asarray(image.rotate(180).convert("RGB"))


def _animations() -> Iterator[Picture]:
    frames = [Image.fromarray(noise(200 + number, 16, 16)) for number in range(300)]
    first = noise(200, 16, 16)
    yield Picture("animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), first)
    first = noise(201, 16, 16)
    webp = saved(frames[1], "WEBP", save_all=True, append_images=frames[2:], lossless=True)
    yield Picture("animated.webp", webp, first)
    palettes = [frame.quantize(256) for frame in frames[2:]]
    gif = saved(palettes[0], "GIF", save_all=True, append_images=palettes[1:])
    yield Picture("animated.gif", gif, np.asarray(palettes[0].convert("RGB")))
    pages = saved(frames[3], "TIFF", save_all=True, append_images=frames[4:40])
    yield Picture("pages.tiff", pages, noise(203, 16, 16))
    pair = saved(Image.fromarray(smooth(204)), "MPO", save_all=True, append_images=[Image.fromarray(smooth(205))])
    yield Picture("pair_of_3d_camera.jpg", pair, smooth(204), off_by=4)


def _exif() -> Iterator[Picture]:
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = plain(300 + orientation)
        upright = image.copy()
        upright.getexif()[0x0112] = orientation
        turned = np.asarray(ImageOps.exif_transpose(upright))
        yield Picture(f"turned_{orientation}.png", saved(image, "PNG", exif=exif), turned)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(smooth(310))
    yield Picture("turned.jpg", saved(turned, "JPEG", quality=98, exif=exif), np.rot90(smooth(310), -1), off_by=3)
    for number, orientation in enumerate((0, 9, 65535)):
        exif[0x0112] = orientation
        yield Picture(f"turned_by_{orientation}.png", saved(plain(311 + number), "PNG", exif=exif), noise(311 + number))
    nonsense = {"text": b"Exif\0\0nonsense", "cut": b"Exif\0\0II*\0\xff\xff\xff\x7f"}
    for seed, (name, exif_bytes) in enumerate(nonsense.items(), 315):
        data = saved(Image.fromarray(smooth(seed)), "JPEG", quality=98, exif=exif_bytes)
        yield Picture(f"exif_of_{name}.jpg", data, smooth(seed), off_by=3)
    ifd_at_itself = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 8, 8)
    yield Picture("exif_in_a_circle.png", saved(plain(317), "PNG", exif=b"Exif\0\0" + ifd_at_itself), noise(317))


def _with_something_else() -> Iterator[Picture]:
    yield Picture("then_a_zip.png", saved(plain(400), "PNG") + b"PK\x03\x04" + bytes(500), noise(400))
    yield Picture("then_a_page.png", saved(plain(401), "PNG") + b"<script>alert(1)</script>" * 50, noise(401))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "<script>alert(1)</script>")
    texts.add_itxt(
        "XML:com.adobe.xmp", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"
    )
    yield Picture("with_markup.png", saved(plain(402), "PNG", pnginfo=texts), noise(402))
    noted = saved(Image.fromarray(smooth(403)), "JPEG", quality=98, comment=b"<html>" * 10_000)
    yield Picture("with_a_long_comment.jpg", noted, smooth(403), off_by=3)
    yield Picture("with_no_profile.png", saved(plain(404), "PNG", icc_profile=b"no profile"), noise(404))
    tiff = bytearray(saved(plain(405), "TIFF"))
    start = struct.unpack("<I", tiff[4:8])[0]
    entries = struct.unpack("<H", tiff[start : start + 2])[0]
    tiff[start + 2 + 12 * entries : start + 6 + 12 * entries] = struct.pack("<I", start)  # the next page is this one
    yield Picture("pages_in_a_circle.tiff", bytes(tiff), noise(405))
    wrong = TiffImagePlugin.ImageFileDirectory_v2()
    wrong[270] = "x" * 100_000
    yield Picture("long_description.tiff", saved(plain(406), "TIFF", tiffinfo=wrong), noise(406))


def _sizes() -> Iterator[Picture]:
    line = np.broadcast_to(np.uint8([10, 200, 30]), (8, 65_500, 3))
    yield Picture("line.jpg", saved(Image.fromarray(line), "JPEG", quality=95), line, off_by=2)
    column = np.broadcast_to(np.uint8([200, 10, 30]), (60_000, 9, 3))
    yield Picture("column.png", saved(Image.fromarray(column), "PNG"), column)
    yield Picture("smallest.png", saved(Image.fromarray(noise(500, 8, 8)), "PNG"), noise(500, 8, 8))
