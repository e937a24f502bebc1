"""What a step's work is cut into, and what makes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import torch

    from retrieval_vs_diffusion.unfinished import Section

T = TypeVar("T")


@dataclass(frozen=True)
class Unit:
    """A piece of a step's work, made by itself; it travels to whoever makes it, so it is small.

    Args:
        number: its place in the order of the work.
        key: a digest of what it is made of.
        takes: what it is made of, as its work understands it, e.g. the numbers of rows.
    """

    number: int
    key: str
    takes: Any = None


class Work(ABC, Generic[T]):
    """Makes units. It goes to other processes once, as pickle writes it, with the models that it needs.

    What a unit gives depends on the unit and the work alone: not on who makes it, nor on the units beside it.
    """

    @abstractmethod
    def make(self, units: Iterable[Unit], kept: Section) -> Generator[T, None, None]:
        """What each unit gives, in their order, once ``kept`` has it.

        It may take units ahead of what it yields, so that one is begun while another is ended.
        """

    @abstractmethod
    def read(self, path: Path, unit: Unit) -> T:
        """What a unit gave, from the file that ``make`` kept.

        Raises:
            BrokenUnitError: if it is not whole, or of another key.
        """

    @property
    def device(self) -> torch.device | str:
        """Where its models run."""
        return "cpu"

    @property
    def counted(self) -> Any:
        """The pipeline of diffusers whose floating point operations are its cost; None where none are."""
        return None

    def before_leaving(self, units: Sequence[Unit]) -> None:
        """Do here once what each process would do again for itself; called before the work goes to others."""
        del units
