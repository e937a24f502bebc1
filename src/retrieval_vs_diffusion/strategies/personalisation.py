"""What a part that personalises the diffusion model must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion
    from retrieval_vs_diffusion.strategies.conditions import Conditions
    from retrieval_vs_diffusion.strategies.learned import Learned
    from retrieval_vs_diffusion.strategies.source import Surroundings


@runtime_checkable
class Personalisation(Protocol):
    """A part that learns from the originals, and teaches the diffusion model what was learned.

    ``learn`` runs once a draw; what it returns is saved and shared. ``teach`` runs wherever a strategy
    generates with it.
    """

    @property
    def needs(self) -> tuple[str, ...]:
        """Resources that ``learn`` is given, as for ``ImageSource``."""
        ...

    def learn(self, surroundings: Surroundings) -> Learned:
        """Learn from the originals."""
        ...

    def teach(self, learned: Learned, diffusion: Diffusion, surroundings: Surroundings) -> Conditions:
        """Change the model if need be, and say what each class's images are conditioned on."""
        ...
