"""What the report says of how its figures were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import protocol_of
from retrieval_vs_diffusion.world import current_run
from retrieval_vs_diffusion.world_parts import told

# Or of no matter to the figures.
_TOLD_ELSEWHERE = ("only", "repetitions", "workers", "compute", "strategy", "export", "plan")
_SHOWN = (
    *("target", "pool", "classes", "clip", "diffusion", "judge", "takedown", "screening"),
    *("sampling", "added_per_original", "classifier", "repetitions", "size_curve"),
)


def report_settings(study: Study) -> dict[str, Any]:
    """Settings of the comparison, and how to repeat it.

    Returns:
        ``world``; ``command`` without the rows, which the report knows; ``protocol`` and ``strategies`` as they
        stand in YAML; ``redraw``, what repetitions draw anew; ``protocols``, digests of each row's settings;
        ``price`` and ``published`` figures or None.
    """
    parameters = study.parameters
    dumped = parameters.model_dump(mode="json")
    return {
        "world": parameters.world,
        "command": _command(parameters.repetitions.number),
        "protocol": {key: dumped[key] for key in _SHOWN},
        "strategies": {name: parameters.strategies[name] or {} for name in study.strategies},
        "personalisations": dict(parameters.personalisations),
        "left_out": told(study.missing),
        "redraw": list(parameters.repetitions.redraw),
        "protocols": {name: protocol_of(study, name) for name in study.strategies},
        "price": dumped["price"],
        "published": dumped["published"],
    }


def _command(repetitions: int) -> str:
    environment, overrides = current_run()
    world = f" --env={environment}" if environment and environment != "base" else ""
    more = "".join(
        f",{place}={value}" for place, value in _flat(overrides) if place.split(".")[0] not in _TOLD_ELSEWHERE
    )
    return f"kedro run{world} --params only={{rows}},repetitions.number={repetitions}{more}"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)))
    return flat
