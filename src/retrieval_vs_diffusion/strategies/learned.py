"""What a personalisation learned, in a form that can be saved and shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.training.learning_curve import LearningCurve

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Learned:
    """Tensors by safetensors file, with what it takes to use them.

    Args:
        name: the personalisation and its draw.
        files: for each file name its tensors by name; the formats are those that diffusers reads.
        about: facts for whoever uses them, as JSON can hold them.
        curve: how the learning went.
        cost: what the learning took.
    """

    name: str
    files: Mapping[str, Mapping[str, Tensor]]
    about: Mapping[str, Any] = field(default_factory=dict)
    curve: LearningCurve = field(default_factory=LearningCurve)
    cost: Cost = field(default_factory=Cost)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all its tensors."""
        return sum(tensor.nbytes for tensors in self.files.values() for tensor in tensors.values())
