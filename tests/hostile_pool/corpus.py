"""A corpus of hostile files, made on the spot: each with its name, its bytes, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.images.made_collections import noise

NOT_OURS = "not a whole image of the formats PNG, JPEG, WEBP, BMP, GIF, TIFF"
NOT_WHOLE = "not a whole image"
TOO_SMALL, TOO_LARGE = "too small", "too large"


@dataclass(frozen=True)
class Picture:
    """A file that is said to be an image.

    Args:
        name: of the file, with the ending it comes under; a word that no other file of the corpus has.
        data: its bytes.
        pixels: what must be read of it, [h, w, 3]; None where it must be refused.
        reason: why it must be refused, as the ledger counts it.
        off_by: difference in a pixel, averaged over all, that a lossy format may make.
    """

    name: str
    data: bytes
    pixels: np.ndarray | None = None
    reason: str | None = None
    off_by: float = 0.0

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def ending(self) -> str:
        return "." + self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Caption:
    """A text that is said to be a caption.

    Args:
        name: of the case.
        text: as it is written; halves of pairs stand for what only JSON can hold.
        read: what the pool's row must say.
    """

    name: str
    text: str
    read: str


def all_pictures() -> list[Picture]:
    """Every picture of the corpus; no two that can be read are alike."""
    from tests.hostile_pool.bad_pictures import bad_pictures
    from tests.hostile_pool.odd_pictures import odd_pictures

    return [*odd_pictures(), *bad_pictures()]


def good_pixels(number: int) -> np.ndarray:
    """A picture that lies beside the bad ones and must be read whatever they do."""
    return noise(10_000 + number)


CAPTIONS = (
    Caption("a megabyte", "word " * 200_000, ("word " * 2_000)),  # 10,000 characters, the last one a blank
    Caption("markup", '<script>alert(1)</script> & <b>"bold"</b>', '<script>alert(1)</script> & <b>"bold"</b>'),
    Caption("control characters", "a\x01\x02 \x1b[31mred\x7f\x9b dog", "a [31mred dog"),
    Caption("zero bytes", "a\0 d\0o\0g", "a dog"),
    Caption("lines", " a\r\n\tdog\x0b\non grass\u2028", "a dog on grass"),
    Caption("blanks alone", " \t\n ", ""),
    Caption("nothing", "", ""),
    Caption("a formula", "=cmd|' /C calc'!A1", "=cmd|' /C calc'!A1"),
    Caption("quotes", 'a "quoted", cell', 'a "quoted", cell'),
    Caption("not a number", "NaN", "NaN"),
    Caption("null", "null", "null"),
    Caption("right to left", "a \u202edog", "a \u202edog"),
    Caption("beyond 16 bits", "\U0001f415 \U000e0041", "\U0001f415 \U000e0041"),
    Caption("a template", "{{ 7 * 7 }} {name} %s ${HOME}", "{{ 7 * 7 }} {name} %s ${HOME}"),
    Caption("a path", "../../../etc/passwd", "../../../etc/passwd"),
)
HALF_PAIR = Caption("half a pair", "a \ud83d dog", "a \\ud83d dog")  # which UTF-8 cannot hold, and JSON can
NOT_UTF8 = b"caf\xe9 dog\xff"  # Latin-1
NOT_UTF8_READ = "caf\ufffd dog\ufffd"
