"""Held-back images of the target: as much again of the real thing, the upper bound of the study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.source import Surroundings


@part
class HeldBack:
    """The first held-back images of each class; their order is a random draw already."""

    needs: ClassVar[tuple[str, ...]] = ("held_back",)
    class_fields: ClassVar[tuple[str, ...]] = ()  # labels alone; another name makes nothing here again

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield held-back images of each class in their order; fewer where the class has no more."""
        held_back = surroundings.resources["held_back"]
        labels = held_back.labels()
        for label, count in wanted.items():
            members = np.flatnonzero(labels == label)
            for position in members[first[label] : first[label] + count]:
                yield held_back.row(int(position))
