"""Pictures as many as are asked for, no two alike: random fields of colour, coarse and fine, as JPEGs in tars."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image

_PER_TAR = 1_000


def drawn(side: int, number: int, seed: int = 0) -> Iterator[bytes]:
    """JPEGs of squares of this side in pixels; photographs of one place would be told for copies of each other."""
    for each in range(number):
        random = np.random.default_rng((seed, each))
        coarse, fine = (
            np.asarray(
                Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8)).resize((side, side)), np.uint16
            )
            for cells in (6, side // 4)
        )
        buffer = io.BytesIO()
        Image.fromarray(((3 * coarse + fine) // 4).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def write_tars(folder: Path, pictures: Iterable[tuple[bytes, str]]) -> None:
    """Write pictures with their captions as img2dataset does: key.jpg and key.txt, 1,000 a tar."""
    folder.mkdir(parents=True)
    numbered = enumerate(pictures)
    for shard in count():
        members = list(islice(numbered, _PER_TAR))
        if not members:
            return
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as archive:
            for number, (data, caption) in members:
                for ending, content in (("jpg", data), ("txt", caption.encode())):
                    member = tarfile.TarInfo(f"{number:09d}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
