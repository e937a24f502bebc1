"""Files of the corpus that are no pictures that can be used, and must be refused."""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.hostile_pool.corpus import NOT_OURS, NOT_WHOLE, TOO_LARGE, TOO_SMALL, Picture
from tests.hostile_pool.odd_pictures import chunk, plain, png, rows_of, saved, smooth
from tests.images.made_collections import encoded, noise

HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>'
ZEROS = zlib.compress(bytes(70_000_000), 9)  # 68 kB


class Canary:
    """What unpickling it would do."""

    def __reduce__(self):
        return (open, ("EXECUTED", "w"))


def bad_pictures() -> Iterator[Picture]:
    yield from _no_images()
    yield from _other_formats()
    yield from _cut()
    yield from _bombs()
    yield from _damaged()
    yield from _too_small()


def _no_images() -> Iterator[Picture]:
    contents = {
        "empty.png": b"",
        "one_byte.png": b"\x89",
        "page.jpg": HTML,
        "drawing.jpg": SVG,
        "words.jpg": b"404 not found",
        "list.png": json.dumps([1]).encode(),
        "pickled.png": pickle.dumps(Canary()),
        "archive.jpg": b"PK\x03\x04" + bytes(100),
        "program.png": b"\x7fELF" + bytes(100),
        "script.jpg": b"#!/bin/sh\ntouch EXECUTED\n",
        "zeros.gif": bytes(1000),
        "film.jpg": b"\0\0\0\x20ftypisom" + bytes(100),
        "of_a_telephone.jpg": b"\0\0\0\x20ftypheic" + bytes(100),
    }
    for name, data in contents.items():
        yield Picture(name, data, reason=NOT_OURS)


def _other_formats() -> Iterator[Picture]:
    """Formats that Pillow could read, with a decoder each that nobody asked for, and that a reader never opens."""
    image = plain(600)
    kinds = "EPS PDF PPM PCX TGA SGI ICO ICNS JPEG2000 AVIF DDS XBM QOI SPIDER MSP"
    for kind in kinds.split():
        converted = image.convert({"XBM": "1", "MSP": "1", "SPIDER": "F"}.get(kind, "RGB"))
        yield Picture(f"as_{kind.lower()}.png", saved(converted, kind), reason=NOT_OURS)
    headers = {
        "psd": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 10, 12, 8, 3) + bytes(1000),
        "fits": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + bytes(2720),
        "wmf": b"\xd7\xcd\xc6\x9a\0\0" + bytes(100),
        "emf": b"\x01\0\0\0" + bytes(36) + b" EMF" + bytes(100),
        "fli": struct.pack("<IHHHHHH", 128, 0xAF11, 1, 12, 10, 8, 3) + bytes(200),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "grib": b"GRIB\0\0\0\x01" + bytes(100),
        "bufr": b"BUFR" + bytes(100),
        "ps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 10\n(EXECUTED) (w) file\n",
        "mpeg": b"\0\0\x01\xb3" + bytes(100),
        "gbr": struct.pack(">IIIII", 28, 2, 12, 10, 1) + b"GIMP" + bytes(200),
        "xpm": b"/* XPM */\nstatic char *a[] = {" + bytes(100),
        "im": b"Image type: RGB image\r\nImage size (x*y): 12*10\r\n".ljust(511, b"\0") + b"\x1a" + bytes(360),
        "dib": saved(image, "DIB"),
    }
    for kind, data in headers.items():
        yield Picture(f"as_{kind}.jpg", data, reason=NOT_OURS)


def _cut() -> Iterator[Picture]:
    """Files whose download broke off."""
    photo = Image.fromarray(noise(610, 100, 100))
    for kind, ending in {
        "PNG": "png",
        "JPEG": "jpg",
        "WEBP": "webp",
        "GIF": "gif",
        "TIFF": "tif",
        "BMP": "bmp",
    }.items():
        whole = saved(photo, kind)
        yield Picture(f"half.{ending}", whole[: len(whole) // 2], reason=NOT_WHOLE)
        yield Picture(f"start.{ending}", whole[:9], reason=NOT_WHOLE if kind == "JPEG" else NOT_OURS)


def _bombs() -> Iterator[Picture]:
    for side in (10_001, 60_000, 2**31 - 1):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        yield Picture(
            f"bomb_of_{side}.png",
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", ZEROS[:1000]) + chunk(b"IEND", b""),
            reason=TOO_LARGE,
        )
    jpeg = bytearray(saved(Image.new("RGB", (64, 64), "red"), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    yield Picture("bomb.jpg", bytes(jpeg), reason=TOO_LARGE)
    gif = bytearray(saved(plain(620).quantize(16), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    yield Picture("bomb.gif", bytes(gif), reason=TOO_LARGE)
    bmp = bytearray(saved(plain(621), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    yield Picture("bomb.bmp", bytes(bmp), reason=TOO_LARGE)
    webp = bytearray(saved(Image.new("RGB", (64, 64)), "WEBP", lossless=True))
    at = webp.index(b"VP8L") + 9
    webp[at : at + 4] = struct.pack("<I", 16_382 | 16_382 << 14)  # width and height less one, of 14 bits each
    yield Picture("bomb.webp", bytes(webp), reason=TOO_LARGE)
    tiff = bytearray(saved(plain(622), "TIFF"))
    start = struct.unpack("<I", tiff[4:8])[0]
    for number in range(struct.unpack("<H", tiff[start : start + 2])[0]):
        entry = start + 2 + 12 * number
        if struct.unpack("<H", tiff[entry : entry + 2])[0] in (256, 257):  # width and height
            tiff[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 100_000)
    yield Picture("bomb.tiff", bytes(tiff), reason=TOO_LARGE)
    for kind, start in {"zTXt": b"a\0\0", "iTXt": b"a\0\x01\0\0\0", "iCCP": b"a\0\0"}.items():
        bomb = png(12, 10, rows_of(noise(623)), extra=chunk(kind.encode(), start + ZEROS))
        yield Picture(f"bomb_in_{kind}.png", bomb, reason=NOT_WHOLE)


def _damaged() -> Iterator[Picture]:
    whole = encoded(630)
    at = whole.index(b"IDAT") + 10
    yield Picture("flipped.png", whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], reason=NOT_WHOLE)
    yield Picture("few_rows.png", png(12, 10, rows_of(noise(631))[:100]), reason=NOT_WHOLE)
    header = struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)
    yield Picture("no_size.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""), reason=NOT_OURS)
    jpeg = saved(Image.fromarray(smooth(633)), "JPEG")
    yield Picture("no_scan.jpg", jpeg[: jpeg.index(b"\xff\xda")], reason=NOT_WHOLE)
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + bytes(100)
    yield Picture("tags_without_end.tiff", tiff, reason=NOT_OURS)


def _too_small() -> Iterator[Picture]:
    yield Picture("one_pixel.png", encoded(640, width=1, height=1), reason=TOO_SMALL)
    yield Picture("one_pixel.gif", saved(Image.new("P", (1, 1)), "GIF"), reason=TOO_SMALL)
    yield Picture("one_row.jpg", encoded(641, "JPEG", 5_000, 1), reason=TOO_SMALL)
    yield Picture("seven.png", encoded(642, width=7, height=7), reason=TOO_SMALL)
