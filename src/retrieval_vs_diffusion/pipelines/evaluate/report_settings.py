"""What the report says of how its figures were made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from retrieval_vs_diffusion.comparison.repeat_command import flat
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.devices import device_found
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import protocol_of
from retrieval_vs_diffusion.world import current_run, parameters_of_the_world
from retrieval_vs_diffusion.world_parts import told

# Of no matter to the table; and `only`, which the table's rows tell.
_NOT_REPEATED = frozenset(
    {"only", "workers", "tracking", "decoded", "strategy", "export", "plan", "tune", "added_images", "pretraining"}
)
_SHOWN = (
    *("target", "pool", "classes", "clip", "diffusion", "judge", "takedown", "screening"),
    *("sampling", "added_per_original", "classifier", "repetitions", "size_curve"),
)


def report_settings(study: Study) -> dict[str, Any]:
    """Settings of the comparison, and how to repeat it.

    Returns:
        ``world``; ``repeat``, as ``repeat_command`` takes it; ``protocol`` and ``strategies`` as they
        stand in YAML; ``redraw``, what repetitions draw anew; ``protocols``, digests of each row's settings;
        ``price`` and ``published`` figures or None.
    """
    parameters = study.parameters
    dumped = parameters.model_dump(mode="json")
    return {
        "world": parameters.world,
        "repeat": _repeat(study),
        "protocol": {key: dumped[key] for key in _SHOWN},
        "strategies": {name: parameters.strategies[name] or {} for name in study.strategies},
        "personalisations": dict(parameters.personalisations),
        "left_out": told(study.missing),
        "redraw": list(parameters.repetitions.redraw),
        "protocols": {name: protocol_of(study, name) for name in study.strategies},
        "price": dumped["price"],
        "published": dumped["published"],
    }


def _repeat(study: Study) -> dict[str, Any]:
    """What the command that repeats a table names, but for the rows that are in it.

    Only what makes another table: the report must not be another one because somebody ran another pipeline, or said
    again what the world's files say.
    """
    environment, given = current_run()
    world = parameters_of_the_world()
    usual = dict(flat(world))
    return {
        "environment": None if environment in {None, "base", "local"} else environment,
        "given": {
            place: value
            for place, value in sorted(flat(given))
            if place.split(".")[0] not in _NOT_REPEATED and _counted(place, value) != _counted(place, usual.get(place))
        },
        "usual_rows": _rows_of(study, world.get("only")),
        "every_row": list(study.strategies),
    }


def _counted(place: str, value: str | None) -> str | None:
    return device_found() if (place, value) == ("compute.device", "auto") else value


def _rows_of(study: Study, only: str | None) -> list[str]:
    """The rows of a run that names none; empty where the world's own choice cannot be run here."""
    try:
        return replace(study, parameters=study.parameters.model_copy(update={"only": only})).chosen
    except UserError:
        return []
