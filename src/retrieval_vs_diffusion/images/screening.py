"""The one gate that every added image passes, whichever arm it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import BaseModel, ConfigDict, Field

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executor
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.copies.copy_index import AT_ONCE, CopyIndex
from retrieval_vs_diffusion.images.copies.pictures import SIDE, grey_picture, short_side
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.look import BROKEN, Seen, look_at
from retrieval_vs_diffusion.images.screening_units import looked_at
from retrieval_vs_diffusion.unfinished import unfinished

if TYPE_CHECKING:
    import pandas as pd

REASONS = (BROKEN, "black", "duplicate", "leak", "below_floor", "dead")


def reason_of(refused: str) -> str:
    """The reason, one of ``REASONS``, that a refusal begins with; after a colon it may say more."""
    return refused.partition(":")[0]


class Screening(BaseModel):
    """What is refused, and how often a refused image is replaced."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    black_below: Annotated[int, Field(ge=0, le=255)] = 10  # brightest value of an image that counts as black
    leak_similarity: Annotated[float, Field(gt=0, le=1.01)]  # correlation with a val or test image laid over it
    rounds: Annotated[int, Field(ge=1)] = 5  # of asking again for what was refused


def fingerprint(val: ImageTable, test: ImageTable) -> pd.DataFrame:
    """Fingerprints of the images that no added image may copy.

    Returns:
        Columns ``image_id``, ``part`` (``val`` or ``test``), ``picture`` (1,024 bytes, 32x32 grey) and ``side``
        (the image's short side in pixels, at most 32).
    """
    import pandas as pd

    rows = []
    for part, table in (("val", val), ("test", test)):
        for image_id, data in zip(table.column("image_id"), table.encoded(), strict=True):
            pixels = codec.decode(data)
            picture = {"picture": grey_picture(pixels).tobytes(), "side": short_side(pixels)}
            rows.append({"image_id": image_id, "part": part, **picture})
    return pd.DataFrame(rows, columns=["image_id", "part", "picture", "side"])


class _Looked(NamedTuple):
    """A row that waits for its verdict, and what is left of its image: the pixels are not kept."""

    row: Mapping[str, Any]
    refused: str | None
    picture: UInt8[np.ndarray, "32 32"] | None  # None for an image that is refused already
    brightest: int


class Gate:
    """Refuses broken, black, duplicate and leaking images; remembers what it let through.

    Args:
        settings: thresholds.
        protected: fingerprints as ``fingerprint`` makes them.
        lets_leaks_through: only to measure what contamination would have bought.
    """

    def __init__(self, settings: Screening, protected: pd.DataFrame, lets_leaks_through: bool = False) -> None:
        self.settings = settings
        self._lets_leaks_through = lets_leaks_through
        self._protected_names = (protected["part"] + " image " + protected["image_id"]).tolist()
        pictures = np.frombuffer(b"".join(protected["picture"]), dtype=np.uint8).reshape(-1, SIDE, SIDE)
        self._protected = CopyIndex(pictures, int(protected["side"].median()) if len(protected) else SIDE)
        self._seen: set[str] = set()

    def leaking(self, images: Sequence[np.ndarray | None]) -> Bool[np.ndarray, " n"]:
        """Which images are near-duplicates of protected ones; None, a broken image, is none."""
        whole = {index: image for index, image in enumerate(images) if image is not None}
        similarity, _ = self._protected.nearest(list(whole.values()))
        found = np.zeros(len(images), dtype=bool)
        found[list(whole)] = similarity >= self.settings.leak_similarity
        return found

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """For each image row why it is refused, or None if it may be used.

        A refusal begins with one of ``REASONS``. Rows that their source already marked in ``refused``
        (what lies below its floor) are refused as they say.
        """
        return [refused for _, refused in self.judged(rows)]

    def judged(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
        """Each row with what ``judge`` says of it, in order.

        In this process that is said while rows come, and no more than a few hundred are held. For an executor that
        sends units elsewhere all rows come first and wait in files, and what it sees of an image by itself is units.
        """
        if isinstance(executor(), LocalExecutor) or (folder := unfinished().scratch()) is None:
            yield from self._judged_here(rows)
            return
        with looked_at(rows, self._protected, folder) as looked:
            for row, refused, seen in looked:
                yield row, refused if seen is None else self._verdict(row, seen)

    def _judged_here(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
        waiting: list[_Looked] = []
        whole = 0
        for row in rows:
            looked = self._look(row)
            if looked.picture is None and not waiting:
                yield looked.row, looked.refused
                continue
            waiting.append(looked)
            whole += looked.picture is not None
            if whole == AT_ONCE:  # as many as are searched together, so that verdicts do not depend on how rows come
                yield from self._decide(waiting)
                waiting, whole = [], 0
        yield from self._decide(waiting)

    def _look(self, row: Mapping[str, Any]) -> _Looked:
        if row.get("refused") is not None:
            return _Looked(row, row["refused"], None, 0)
        try:
            return _Looked(row, None, *look_at(row["image"]["bytes"]))
        except codec.BrokenImageError:
            return _Looked(row, BROKEN, None, 0)

    def _decide(self, waiting: list[_Looked]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
        similarity, nearest = self._protected.nearest_to_pictures(
            [each.picture for each in waiting if each.picture is not None]
        )
        found = iter(zip(similarity, nearest, strict=True))
        for row, refused, picture, brightest in waiting:
            if picture is None:
                yield row, refused
                continue
            yield row, self._verdict(row, Seen(brightest, *next(found)))

    def _verdict(self, row: Mapping[str, Any], seen: Seen) -> str | None:
        """Of a whole image; what is let through is remembered."""
        if seen.brightest < self.settings.black_below:
            return "black"
        if row["content_hash"] in self._seen:
            return "duplicate"
        if seen.similarity >= self.settings.leak_similarity and not self._lets_leaks_through:
            return f"leak: correlates {seen.similarity:.2f} with {self._protected_names[seen.nearest]}"
        self._seen.add(row["content_hash"])
        return None
