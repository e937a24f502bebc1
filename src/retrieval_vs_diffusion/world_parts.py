"""What a world has: a pool, a diffusion model, images that are held back; and which strategies must do without."""

from __future__ import annotations

from collections.abc import Mapping

from retrieval_vs_diffusion.parameters import Parameters
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.strategies.source import class_fields_of

_LACKING = {
    "diffusion": "for want of a diffusion model (diffusion.path)",
    "pool": "for want of a pool (pool.path)",
    "held_back": "because no image is held back (target.per_class: all)",
}


def has_pool(parameters: Parameters) -> bool:
    """Whether the world has a pool: its reader takes no path, or was given one."""
    reader = parameters.pool.reader
    return "path" not in reader or reader["path"] is not None


def left_out_of(
    strategies: Mapping[str, Strategy],
    personalisations: Mapping[str, Personalisation],
    class_table: ClassTable,
    parameters: Parameters,
) -> dict[str, str]:
    """Why strategies cannot be run in a world, by name; those that can are not there."""
    lacking = set()
    if parameters.diffusion.path is None:
        lacking.add("diffusion")
    if not has_pool(parameters):
        lacking.add("pool")
    if parameters.target.per_class == "all":
        lacking.add("held_back")
    left_out = {}
    for name, strategy in strategies.items():
        needs = {need for step in strategy.steps for need in step.source.needs}
        if strategy.personalise is not None:
            needs |= {"diffusion", *personalisations[strategy.personalise].needs}
        reasons = [reason for need, reason in _LACKING.items() if need in needs & lacking]
        fields = {field for step in strategy.steps for field in class_fields_of(step.source)} - {"name"}
        unknown = sorted(each for each in fields if not any(each in row for row in class_table.rows.values()))
        if unknown:
            reasons.append(f"for want of a class table with {' and '.join(unknown)} (classes.path)")
        if reasons:
            left_out[name] = " and ".join(reasons)
    return left_out


def told(left_out: Mapping[str, str]) -> list[str]:
    """Lines that say which strategies are left out, one for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"left out {reason}: {', '.join(names)}" for reason, names in by_reason.items()]
