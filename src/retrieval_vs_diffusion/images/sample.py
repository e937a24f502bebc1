"""One picture of a collection that a user brings, as its format gives it: encoded, and with whatever is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A picture with what its collection says of it; nothing is decoded or checked yet.

    Args:
        key: its place in the collection, unique there: a path, or shard and name.
        image: the encoded bytes, or the file that holds them; None where the collection has none.
        label: the class as it is written in the collection; None where none is.
        part: ``train``, ``val`` or ``test`` where the collection is split; None elsewhere.
        caption: None where there is none.
        source: URL, file or place, by which a user finds it again.
        unsafe: the collection's own probability, 0 to 1, that the picture is not safe for work; None if unknown.
        watermark: the same of a watermark.
    """

    key: str
    image: bytes | Path | None = None
    label: str | None = None
    part: str | None = None
    caption: str | None = None
    source: str | None = None
    unsafe: float | None = None
    watermark: float | None = None
