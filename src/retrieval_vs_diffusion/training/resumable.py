"""Trainings that go on where they were when their process was killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from retrieval_vs_diffusion.models.checkpoint import read_checkpoint, write_checkpoint
from retrieval_vs_diffusion.unfinished import Section, unfinished

_CHECKPOINTS = 20  # of a training that has no looks at which to write them


class Resumable:
    """All that changes while a training runs, kept and restored together.

    What follows a restored state is what would have followed it without an interruption, to the bit on a CPU.

    Args:
        name: the training, for its section of the unfinished work.
        stateful: networks, optimisers, schedules and whatever else has ``state_dict`` and ``load_state_dict``;
            restored in this order.
        random: generators of the training; torch's global ones, from which dropout draws, count in any case.
        section: where it is kept; None for the next one of its name in the step that runs now.
    """

    def __init__(
        self,
        name: str,
        stateful: Mapping[str, Any],
        random: Sequence[torch.Generator | np.random.Generator] = (),
        section: Section | None = None,
    ) -> None:
        self._name = name
        self._stateful = dict(stateful)
        self._random = tuple(random)
        self._section = unfinished().section(name) if section is None else section

    def restore(self) -> dict[str, Any]:
        """Go back to the last state that was kept; returns the values kept with it, empty where none was."""
        state = self._section.find("checkpoint", lambda path: read_checkpoint(path, self._name))
        if state is None:
            return {}
        for name, part in self._stateful.items():
            part.load_state_dict(state["stateful"][name])
            if isinstance(part, torch.optim.Optimizer):
                _lay_out_as_parameters(part)
        for generator, saved in zip(self._random, state["random"], strict=True):
            if isinstance(generator, torch.Generator):
                generator.set_state(saved)
            else:
                generator.bit_generator.state = saved
        torch.set_rng_state(state["torch"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])  # there may be fewer GPUs now
        return state["values"]

    def keep(self, **values: Any) -> None:
        """Keep the state as it is now, with values of the loop's own: numbers, texts, tensors, nested."""
        if not self._section.is_kept:
            return
        state = {
            "stateful": {name: part.state_dict() for name, part in self._stateful.items()},
            "random": [
                each.get_state() if isinstance(each, torch.Generator) else each.bit_generator.state
                for each in self._random
            ],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "values": values,
        }
        self._section.keep("checkpoint", lambda path: write_checkpoint(path, state, self._name))


def is_checkpoint(step: int, steps: int) -> bool:
    """Whether a training that has no looks keeps its state after a step, the first being 1."""
    return step % -(-steps // _CHECKPOINTS) == 0 and step < steps


class Parameters:
    """A list of parameters with a state, as ``Resumable`` wants it."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        self._parameters = list(parameters)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Their values by position."""
        return {str(number): each.detach() for number, each in enumerate(self._parameters)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Give them these values."""
        for number, each in enumerate(self._parameters):
            each.copy_(state[str(number)])


def _lay_out_as_parameters(optimiser: torch.optim.Optimizer) -> None:
    """Store averages in the memory layout of their parameters, as the optimiser made them.

    Other layouts take other kernels, whose last bits may differ.
    """
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape and value.dim():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
