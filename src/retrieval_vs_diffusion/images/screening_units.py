"""What the screening sees of images by themselves, in units: first each is decoded, then all are compared.

Verdicts hang together: pictures are searched by hundreds, as ``Gate`` does, and where these begin and end depends on
which images before are broken. So what is compared is cut when it is known which are whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int, UInt8

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executor
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.copies.copy_index import AT_ONCE, CopyIndex
from retrieval_vs_diffusion.images.copies.pictures import SIDE
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.look import BROKEN, Seen, look_at
from retrieval_vs_diffusion.kept_arrays import read_arrays, write_arrays
from retrieval_vs_diffusion.unfinished import Section, unfinished

if TYPE_CHECKING:
    from retrieval_vs_diffusion.executors.executor import Executor

FEW = 2_048  # rows; so many are decoded and compared in less time than workers take to start
_BYTES_A_PORTION = 64_000_000  # of encoded images
_PICTURE = SIDE * SIDE  # bytes
Row: TypeAlias = Mapping[str, Any]


@contextlib.contextmanager
def looked_at(rows: Iterable[Row], protected: CopyIndex, folder: Path) -> Iterator[Iterator[tuple[Row, Any, Any]]]:
    """Each row with why it is refused already, or what was seen of it, as ``Seen`` has it.

    Args:
        rows: of images; all are taken first, and written to files that are gone afterwards.
        protected: the pictures that they are compared with.
        folder: for the files, on a file system that all machines share.
    """
    with tempfile.TemporaryDirectory(prefix="screened_", dir=folder) as place:
        portions = list(_written(rows, Path(place)))
        chosen = executor() if sum(each.rows for each in portions) >= FEW else LocalExecutor()
        yield _seen(portions, protected, Path(place), chosen)


def _seen(
    portions: Sequence[_Portion], protected: CopyIndex, place: Path, chosen: Executor
) -> Iterator[tuple[Row, Any, Any]]:
    units = [Unit(number, each.key, each.file) for number, each in enumerate(portions)]
    kept = unfinished().section("looked")
    pictures, looked = place / "pictures", []
    with pictures.open("wb") as file:
        for looks in chosen.run(Looking(), units, kept, "screening: looking at images (portions)"):
            file.write(looks.pictures.tobytes())
            looked.append((looks.whole, looks.brightest))
    nearest = _nearest(pictures, protected, chosen)
    for portion, (whole, brightest) in zip(portions, looked, strict=True):
        bright = iter(brightest.tolist())
        for row, is_whole in zip(pq.read_table(portion.file).to_pylist(), whole, strict=True):
            if row["refused"] is not None:
                yield row, row["refused"], None
            elif not is_whole:
                yield row, BROKEN, None
            else:
                yield row, None, Seen(next(bright), *next(nearest))


def _nearest(pictures: Path, protected: CopyIndex, chosen: Executor) -> Iterator[tuple[float, int]]:
    total = pictures.stat().st_size // _PICTURE
    ranges = [range(first, min(first + AT_ONCE, total)) for first in range(0, total, AT_ONCE)]
    with pictures.open("rb") as file:
        digests = [hashlib.sha256(file.read(len(each) * _PICTURE)).hexdigest()[:32] for each in ranges]
    units = [Unit(number, *each) for number, each in enumerate(zip(digests, ranges, strict=True))]
    kept = unfinished().section("compared")
    for found in chosen.run(Comparing(pictures, protected), units, kept, "screening: comparing images (portions)"):
        yield from zip(*(each.tolist() for each in found), strict=True)


@dataclass(frozen=True)
class _Portion:
    file: Path
    key: str  # a digest of what is decoded
    rows: int


def _written(rows: Iterable[Row], place: Path) -> Iterator[_Portion]:
    """Write the rows to files, some hundred to each."""
    held: list[Row] = []
    digest, size = hashlib.sha256(), 0

    def written() -> _Portion:
        file = place / f"{len(list(place.iterdir())):06d}.parquet"
        pq.write_table(ImageTable.from_rows(held).table, file, compression="none")
        return _Portion(file, digest.hexdigest()[:32], len(held))

    for row in rows:
        held.append(row)
        data = b"" if row.get("refused") is not None else row["image"]["bytes"]
        digest.update(hashlib.sha256(data).digest())
        size += len(data)
        if len(held) == AT_ONCE or size >= _BYTES_A_PORTION:
            yield written()
            held, digest, size = [], hashlib.sha256(), 0
    if held:
        yield written()


class Looks(NamedTuple):
    """Of each row whether it is an image to be judged and whole; of these the pictures and the brightest values."""

    whole: Bool[np.ndarray, " n"]
    pictures: UInt8[np.ndarray, "m 32 32"]
    brightest: UInt8[np.ndarray, " m"]


class Looking(Work[Looks]):
    """Decodes the images of a file of rows; those that are refused already are passed over."""

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Looks, None, None]:
        """What is left of the images of each unit's file."""
        for unit in units:
            looks = _looks(pq.read_table(unit.takes, columns=["image", "refused"]).to_pylist())
            kept.keep(unit.number, partial(write_arrays, arrays=looks._asdict(), key=unit.key))
            yield looks

    def read(self, path: Path, unit: Unit) -> Looks:
        """What is left of a unit that was made before."""
        return Looks(**read_arrays(path, unit.key))


def _looks(rows: Sequence[Row]) -> Looks:
    whole, pictures, brightest = np.zeros(len(rows), dtype=bool), [], []
    for number, row in enumerate(rows):
        if row["refused"] is None:
            with contextlib.suppress(BrokenImageError):
                picture, bright = look_at(row["image"]["bytes"])
                pictures.append(picture)
                brightest.append(bright)
                whole[number] = True
    return Looks(whole, np.array(pictures, np.uint8).reshape(-1, SIDE, SIDE), np.array(brightest, np.uint8))


class Comparing(Work[tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]]):
    """Finds the nearest protected picture of each of some pictures.

    Args:
        pictures: a file of them, one after the other; a unit takes the range of its own.
        protected: travels once.
    """

    def __init__(self, pictures: Path, protected: CopyIndex) -> None:
        self._pictures, self._protected = pictures, protected

    def make(
        self, units: Iterable[Unit], kept: Section
    ) -> Generator[tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]], None, None]:
        """Similarities and numbers."""
        for unit in units:
            read = np.fromfile(self._pictures, np.uint8, len(unit.takes) * _PICTURE, offset=unit.takes.start * _PICTURE)
            similarity, nearest = self._protected.nearest_to_pictures(list(read.reshape(-1, SIDE, SIDE)))
            found = {"similarity": similarity, "nearest": np.array(nearest, dtype=np.int64)}
            kept.keep(unit.number, partial(write_arrays, arrays=found, key=unit.key))
            yield found["similarity"], found["nearest"]

    def read(self, path: Path, unit: Unit) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The same of a unit that was made before."""
        found = read_arrays(path, unit.key)
        return found["similarity"], found["nearest"]
