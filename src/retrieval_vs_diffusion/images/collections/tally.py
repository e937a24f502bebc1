"""What became of a collection's images, one after the other: used, broken, doubled, left out."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.photo import fault_of, photo_row
from retrieval_vs_diffusion.images.sample import Sample

logger = logging.getLogger(__name__)
_EXAMPLES = 3


class Tally:
    """Counts in a ledger while images are read.

    ``read`` images are those that were looked at; each is one of ``used``, ``broken`` and the further ``fates``.
    ``reasons`` says of the broken ones what is wrong, ``left_out`` what the collection holds and no image was
    read of: members that were refused, samples without an image, broken shards.

    Args:
        of_what: what is read, for log lines, e.g. ``the pool``.
        fates: what else can become of an image.
    """

    def __init__(self, of_what: str, *fates: str) -> None:
        self.reasons: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.ledger: dict[str, Any] = {
            "kind": "images",
            **dict.fromkeys(("read", "used", "broken", *fates), 0),
            "reasons": self.reasons,
            "left_out": self.left_out,
        }
        self._of_what = of_what
        self._examples: list[str] = []

    def __getitem__(self, count: str) -> int:
        return self.ledger[count]

    def add(self, count: str) -> None:
        """One more."""
        self.ledger[count] += 1

    def row(self, sample: Sample, short_side: int | None, **columns: Any) -> dict[str, Any] | None:
        """The sample as a row of an image table; None for a broken image, which is counted."""
        try:
            return photo_row(sample, short_side, **columns)
        except BrokenImageError as error:
            self.add("broken")
            self.reasons[fault_of(error)] += 1
            if len(self._examples) < _EXAMPLES:
                self._examples.append(f"{sample.key} ({error})")
            return None

    def log(self) -> None:
        """Say in one line each what was broken and what was left out, where anything was."""
        if self["broken"]:
            kinds = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
            logger.warning(
                "%s: %d of %d images are broken and not used: %s; e.g. %s",
                *(self._of_what, self["broken"], self["read"], kinds, ascii("; ".join(self._examples))),
            )
        if self.left_out:
            kinds = ", ".join(f"{count} {reason}" for reason, count in self.left_out.most_common())
            logger.warning("%s: left out: %s", self._of_what, kinds)
