"""What a part that brings images must do, and what it is given to do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.seeds import derive_seed


@dataclass(frozen=True)
class Surroundings:
    """Where a part works: the world's classes, the strategy's name and seeds, and the resources it needs.

    Args:
        class_names: names of the classes by label.
        strategy: name of the strategy.
        seed_parts: world, strategy and repetition; all seeds derive from them.
        resources: what the part declared in ``needs``, by name.
        previous: images that an earlier step brought; None in the first step.
    """

    class_names: tuple[str, ...]
    strategy: str
    seed_parts: tuple[str | int, ...]
    resources: Mapping[str, Any] = field(default_factory=dict)
    previous: ImageTable | None = None

    def seed(self, *purpose: str | int) -> int:
        """The seed for a purpose, e.g. ``seed("generate", label, number)``."""
        return derive_seed(*self.seed_parts, *purpose)


class ImageSource(Protocol):
    """A part that brings images: a generator, a retriever, or images that are there already.

    ``needs`` names the resources it is given: ``clip``, ``diffusion``, ``pool``, ``index``,
    ``originals`` (the repetition's training images), ``held_back``, ``learned`` (what the strategy's
    personalisation learned). The pipeline is wired by it, so a strategy depends on nothing else.
    """

    needs: ClassVar[tuple[str, ...]]

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Bring ``wanted[label]`` images a class, numbers ``first[label]`` and on.

        Image ``number`` of a class is the same whenever and with whatever others it is asked for. A
        source that has no more yields fewer.

        Yields:
            Rows as ``image_row`` makes them, with ``label``.
        """
        ...
