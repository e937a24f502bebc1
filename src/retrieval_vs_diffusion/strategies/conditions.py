"""What a generator is told to show: a prompt a class, or what a personalisation puts in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from retrieval_vs_diffusion.strategies import prompts

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from retrieval_vs_diffusion.models.diffusion import Condition


@dataclass(frozen=True)
class Conditioned:
    """The condition of one image.

    Args:
        prompt: what the image's row says of it.
        condition: what the diffusion model is given: the prompt, or a matrix in place of the encoded one.
    """

    prompt: str
    condition: Condition


@runtime_checkable
class Conditions(Protocol):
    """The condition of each image of each class."""

    def of(self, label: int, number: int, templates: Sequence[str]) -> Conditioned:
        """The condition of image ``number`` of a class; templates are used in turn."""
        ...


@dataclass(frozen=True)
class ClassPrompts:
    """Templates filled with what is known of the class.

    Args:
        fields: fields of each class by label; a pseudo-word stands under ``name`` where one was learned.
    """

    fields: Sequence[Mapping[str, str]]

    def of(self, label: int, number: int, templates: Sequence[str]) -> Conditioned:
        """Template ``number`` in turn, filled."""
        prompt = prompts.fill(templates[number % len(templates)], self.fields[label])
        return Conditioned(prompt, prompt)


@dataclass(frozen=True)
class ClassMatrices:
    """Learned matrices in place of encoded prompts; the templates are not used.

    Args:
        matrices: of each class by label, each [matrices, tokens, width].
        turns: for each class the matrices' numbers in the order of use, each as often as its share asks.
        names: of the classes by label.
    """

    matrices: Sequence[Float[Tensor, "k l d"]]
    turns: Sequence[Sequence[int]]
    names: Sequence[str]

    def of(self, label: int, number: int, templates: Sequence[str]) -> Conditioned:
        """The class's matrices in turn."""
        del templates
        which = self.turns[label][number % len(self.turns[label])]
        return Conditioned(f"[conditioning {which} of {self.names[label]}]", self.matrices[label][which])
