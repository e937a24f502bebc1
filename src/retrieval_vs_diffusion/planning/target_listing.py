"""A user's labelled collection listed and split as its reader splits it, and a few of its images read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval_vs_diffusion.images.class_naming import class_names_of
from retrieval_vs_diffusion.images.collections.plain_text import plain_caption
from retrieval_vs_diffusion.images.collections.tally import Tally
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.progress import progress

# Of test images the keys are counted; none is read.
_PART_OF_READER = {"test": "test", "val": "val", "reservoir": "train"}
_SPARE = 3  # times as many keys as images are wanted: some are broken, or copies


@dataclass(frozen=True)
class ListedTarget:
    """Which images of a collection are in which part; none is read.

    Args:
        class_names: by label.
        keys: of each part (``test``, ``val``, ``reservoir``) and label the keys, sorted.
    """

    class_names: tuple[str, ...]
    keys: Mapping[str, Sequence[Sequence[str]]]

    def counts(self) -> dict[str, list[int]]:
        """Images of each label in each part; broken ones and copies are among them."""
        return {part: [len(keys) for keys in by_label] for part, by_label in self.keys.items()}


def list_target(reader: LabelledImages) -> ListedTarget:
    """List a collection and split it.

    Raises:
        UserError: as the reader does.
    """
    labels: dict[str, str] = {}

    def labelled():  # type: ignore[no-untyped-def]
        for entry in progress(reader.collection().entries(), "listing the target"):
            if entry.label is not None:
                labels[entry.key] = entry.label
                yield entry

    drawn = reader.split().draw(labelled())
    position = {label: number for number, label in enumerate(drawn.labels)}
    keys: dict[str, list[list[str]]] = {}
    for part, name in _PART_OF_READER.items():
        keys[part] = [[] for _ in position]
        for key in sorted(drawn.keys[name]):
            keys[part][position[labels[key]]].append(key)
    return ListedTarget(tuple(class_names_of(drawn.labels).values()), keys)


def read_listed(
    reader: LabelledImages, listed: ListedTarget, labels: Sequence[int], limits: Mapping[str, int]
) -> dict[str, ImageTable]:
    """The first ``limits[part]`` images of each part and label that can be read."""
    wanted = {
        key: (part, label)
        for part in limits
        for label in labels
        for key in listed.keys[part][label][: _SPARE * limits[part]]
    }
    tally = Tally("target.reader: the pilot's images", "duplicate")
    rows: dict[str, list[list[dict]]] = {part: [[] for _ in listed.class_names] for part in limits}
    seen: set[str] = set()
    missing = {(part, label) for part in limits for label in labels}
    for sample in progress(reader.collection().samples(wanted), "reading the pilot's images", len(wanted)):
        part, label = wanted[sample.key]
        if len(rows[part][label]) == limits[part]:
            continue
        caption = plain_caption(sample.caption or "") or None
        row = tally.row(sample, reader.short_side, label=label, true_label=label, caption=caption)
        if row is None or row["content_hash"] in seen:
            continue
        seen.add(row["content_hash"])
        rows[part][label].append(row)
        if len(rows[part][label]) == limits[part]:
            missing.discard((part, label))
        if not missing:
            break
    return {
        part: ImageTable.from_rows(row for of_class in by_label for row in of_class) for part, by_label in rows.items()
    }
