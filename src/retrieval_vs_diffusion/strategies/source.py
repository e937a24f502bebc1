"""What a part that brings images must do, and what it is given to do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable

if TYPE_CHECKING:
    from retrieval_vs_diffusion.strategies.conditions import Conditions


@dataclass(frozen=True)
class Surroundings:
    """Where a part works: the world's classes, the strategy's name and seeds, and the resources it needs.

    Args:
        class_names: names of the classes by label.
        strategy: name of the strategy.
        seed_parts: world, strategy and repetition; all seeds derive from them.
        resources: what the part declared in ``needs``, by name.
        previous: images that an earlier step brought; None in the first step.
        class_table: what is known of the classes beyond their names.
        personalised: name of the learned artifact that the strategy generates with; None without one.
        conditions: what a personalisation puts in place of prompts; None without one.
    """

    class_names: tuple[str, ...]
    strategy: str
    seed_parts: tuple[str | int, ...]
    resources: Mapping[str, Any] = field(default_factory=dict)
    previous: ImageTable | None = None
    class_table: ClassTable = field(default_factory=ClassTable)
    personalised: str | None = None
    conditions: Conditions | None = None

    def seed(self, *purpose: str | int) -> int:
        """The seed for a purpose, e.g. ``seed("generate", label, number)``."""
        return derive_seed(*self.seed_parts, *purpose)

    @property
    def name(self) -> str:
        """World, strategy and draw in one word."""
        return "/".join(str(each) for each in self.seed_parts)

    def fields(self) -> list[dict[str, str]]:
        """By label the fields of each class that prompts may use; ``name`` is always there."""
        return [self.class_table.fields_of(name) for name in self.class_names]


@runtime_checkable
class ImageSource(Protocol):
    """A part that brings images: a generator, a retriever, or images that are there already.

    Two more attributes are read where a part has them: ``class_fields``, the fields of the class table
    that it uses (the name alone otherwise), and ``consumes_previous``, whether it makes its images from
    those of the step before it and so replaces them (otherwise it fills up what they leave short).
    """

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the resources it is given.

        ``clip``, ``diffusion``, ``sampling``, ``pool``, ``index``, ``originals`` (the repetition's training
        images) or ``held_back``. The pipeline is wired by it, so a strategy depends on nothing else.
        """
        ...

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


def class_fields_of(part: object) -> tuple[str, ...]:
    """The fields of the class table that a part uses."""
    return tuple(getattr(part, "class_fields", ("name",)))


def consumes_previous(source: ImageSource) -> bool:
    """Whether a source makes its images from those of the step before it."""
    return bool(getattr(source, "consumes_previous", False))
