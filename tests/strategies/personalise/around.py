"""What a personalisation is tried with: two classes, four originals, the tiny pipeline."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

NAMES = ("red", "blue")


def training(**changes) -> PersonalisationTraining:
    """A few quick steps; nothing is held out unless a test asks for it."""
    return PersonalisationTraining(
        **{"steps": 10, "batch_size": 4, "learning_rate": 0.01, "held_out_share": 0.0, "looks": 2, **changes}
    )


def copy_of(pipeline, device) -> Diffusion:
    return Diffusion(copy.deepcopy(pipeline), "tiny", device)


def around(diffusion, originals, names: Sequence[str] = NAMES, repetition: int = 0, **resources) -> Surroundings:
    given = {"diffusion": diffusion, "originals": originals, **resources}
    return Surroundings(tuple(names), "words", ("toy", "words", repetition), given)


def tensors(learned: Learned) -> dict:
    """All that was learned, whatever file it is in."""
    return {key: value for file in learned.files.values() for key, value in file.items()}


def unlike(before, after, but: str = "\0") -> list[str]:
    """Names of the weights that differ between two modules, those that contain ``but`` left out."""
    old, new = before.state_dict(), after.state_dict()
    return [key for key in old if but not in key and not old[key].equal(new[key])]
