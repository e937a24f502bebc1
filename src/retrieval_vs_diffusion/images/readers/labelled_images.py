"""A user's own labelled images as the target."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.class_naming import class_names_of
from retrieval_vs_diffusion.images.collections.collection import Collection, build_collection
from retrieval_vs_diffusion.images.collections.plain_text import plain_caption
from retrieval_vs_diffusion.images.collections.tally import Tally
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.photo import SMALLEST_SIDE
from retrieval_vs_diffusion.images.readers.contradictions import contradictory
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.images.splits import Split
from retrieval_vs_diffusion.images.target import Target
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.remote.ahead import SMALL_FILES, fetched_ahead
from retrieval_vs_diffusion.remote.remote_path import AnyPath

logger = logging.getLogger(__name__)
_EXAMPLES = 3


@part
class LabelledImages:
    """Class folders, a CSV of labels, Parquet, a data set of ``datasets`` or tars, with a split or without.

    Args:
        path: the file or folder, on the disk or at ``s3://``; with ``format: hugging_face`` also a name on the hub.
        format: ``auto``, a module of ``images.formats``, or a mapping with its ``type`` and its own keys.
        val: images a class for validation (an integer) or a share of each class, where the collection has none.
        test: the same for test.
        given_parts: which part of the collection serves as which of ours, e.g. ``{test: val}``.
        reservoir_at_most: images a class from which repetitions draw; null for all.
        short_side: pixels; larger images are shrunk so that their shorter side has so many. null keeps all sizes.
        seed: decides the parts that are drawn.
        image_column: which column holds images or paths; null finds the one that can be meant.
        label_column: the same of labels.
        split_column: the same of train, val and test.
    """

    path: AnyPath
    format: str | dict[str, Any] = "auto"
    val: int | float = 0.15
    test: int | float = 0.25
    given_parts: dict[str, str] = field(default_factory=dict)
    reservoir_at_most: int | None = None
    short_side: Annotated[int, Field(ge=SMALLEST_SIDE)] | None = 512
    seed: int = 0
    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None

    def __post_init__(self) -> None:
        self.split()  # refuses numbers that are none

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders of the collection; the path as it is where nothing is."""
        place = self.path.expanduser()
        return self.collection().reads if place.exists() else (place,)

    def read(self) -> Target:
        """List the collection and split it; the images themselves are read while the parts are written.

        The parts are streams, to be written in the order test, val, reservoir: of a picture that is there several
        times the first part keeps one. A part raises UserError after its last image if a class has none left.

        Raises:
            UserError: if there are fewer than two classes, or a part would lack one.
        """
        collection = self.collection()
        unlabelled = Counter[str]()
        drawn = self.split().draw(_labelled(progress(collection.entries(), "listing the target"), unlabelled))
        if not drawn.labels and unlabelled:
            raise UserError(
                f"target.reader: none of {unlabelled.total()} images in {self.path} has a label; name what holds it, "
                "e.g. label_column"
            )
        if unlabelled:
            logger.warning("target.reader: left out: %d images without a label", unlabelled.total())
        names = class_names_of(drawn.labels)
        once = functools.cache(lambda: contradictory(collection, frozenset().union(*drawn.keys.values())))
        seen: dict[str, _Seen] = {}
        parts = {
            name: _Part(name, drawn.keys[name], names, self.short_side, seen, once).stream(collection)
            for name in ("test", "val", "train")
        }
        return Target(tuple(names.values()), reservoir=parts["train"], val=parts["val"], test=parts["test"])

    def collection(self) -> Collection:
        """What the samples are read from."""
        columns = {name: getattr(self, name) for name in ("image_column", "label_column", "split_column")}
        return build_collection(self.path, self.format, "target", columns, "target.reader")

    def split(self) -> Split:
        """How they are split into parts."""
        return Split(self.val, self.test, self.given_parts, self.reservoir_at_most, self.seed)


class _Seen(NamedTuple):
    """Where a picture was first."""

    part: str
    label: str
    key: str


class _Part:
    """One part of the target while it is read.

    Args:
        name: train, val or test.
        keys: of its images.
        names: class name by label, in the order of positions.
        short_side: as in ``photo_row``.
        seen: of each content hash that was used, shared by all parts.
        contradictory: gives the keys of pictures that are there under two labels.
    """

    def __init__(
        self,
        name: str,
        keys: Set[str],
        names: Mapping[str, str],
        short_side: int | None,
        seen: dict[str, _Seen],
        contradictory: Callable[[], Set[str]],
    ) -> None:
        self._name, self._keys, self._names, self._short_side, self._seen = name, keys, names, short_side, seen
        self._contradictory = contradictory
        self._position = {label: position for position, label in enumerate(names)}
        self._tally = Tally(f"target.reader: part {name}", "duplicate", "contradictory")
        self._copies_of: Counter[str] = Counter()
        self._recoded: list[str] = []  # what is told of those that were found too late
        self._used: Counter[str] = Counter()  # by label

    def stream(self, collection: Collection) -> ImageStream:
        """The rows, to be gone through once."""
        return ImageStream(self._rows(collection), self._tally.ledger)

    def _rows(self, collection: Collection) -> Iterator[dict[str, Any]]:
        tally, contradictory = self._tally, self._contradictory()
        samples = fetched_ahead(collection.samples(self._keys, tally.left_out), lambda each: (each.image,), SMALL_FILES)
        for sample in progress(samples, f"reading the target's part {self._name}", len(self._keys)):
            tally.add("read")
            if sample.key in contradictory:
                tally.add("contradictory")
                continue
            label = sample.label or ""
            position = self._position[label]
            caption = plain_caption(sample.caption or "") or None
            row = tally.row(sample, self._short_side, label=position, true_label=position, caption=caption)
            if row is None:
                continue
            first = self._seen.get(row["content_hash"])
            if first is not None:
                tally.add("duplicate")
                self._copies_of[first.part] += 1
                if first.label != label:
                    told = f"{sample.key!a} ({label!a}) is {first.key!a} ({first.label!a}) of {first.part}"
                    self._recoded.append(told)
                continue
            self._seen[row["content_hash"]] = _Seen(self._name, label, sample.key)
            tally.add("used")
            self._used[label] += 1
            yield row
        self._tell()

    def _tell(self) -> None:
        self._tally.log()
        if self._copies_of:
            of = ", ".join(f"{count} of {name}" for name, count in sorted(self._copies_of.items()))
            logger.warning("target.reader: part %s: left out as exact copies of images: %s", self._name, of)
        if self._recoded:
            logger.warning(
                "target.reader: part %s: %d of these copies have another label than the image that stays; look which "
                "is right: %s",
                *(self._name, len(self._recoded), "; ".join(self._recoded[:_EXAMPLES])),
            )
        for label in self._names:
            if not self._used[label]:
                raise UserError(
                    f'target.reader: class "{label}" has no image left in the part {self._name}, of whose '
                    f"{self._tally['read']} images {self._tally['broken']} are broken and {self._tally['duplicate']} "
                    f"copies of others{self._and_contradictory()}; add some, or leave the class out"
                )

    def _and_contradictory(self) -> str:
        number = self._tally["contradictory"]
        return f", and {number} are there under another label too" if number else ""


def _labelled(entries: Iterator[Sample], unlabelled: Counter[str]) -> Iterator[Sample]:
    for entry in entries:
        if entry.label is None:
            unlabelled[entry.part or "no part"] += 1
        else:
            yield entry
