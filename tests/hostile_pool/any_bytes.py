"""What hypothesis draws for the tests of properties, and how often: the same in every run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from tests.images.made_collections import encoded

settings.register_profile(
    "hostile", deadline=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck), database=None
)
settings.load_profile("hostile")

SEEDS = [encoded(1), encoded(2, "JPEG"), encoded(3, "GIF"), encoded(4, "WEBP"), encoded(5, "BMP"), encoded(6, "TIFF")]


@some.composite
def damaged(draw, seeds=tuple(SEEDS)) -> bytes:
    """A whole file with some of its bytes overwritten, put in, or cut off at the end."""
    data = bytearray(draw(some.sampled_from(seeds)))
    for at in draw(some.lists(some.integers(0, len(data) - 1), max_size=8)):
        data[at : at + draw(some.integers(0, 4))] = draw(some.binary(max_size=4))
    return bytes(data[: draw(some.integers(0, len(data)))] if draw(some.booleans()) else data)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)
