"""Which datasets the parts of a strategy are given for the resources that they need."""

from __future__ import annotations

from retrieval_vs_diffusion.strategies.composition import Step, Strategy

MODEL_RESOURCES = ("clip", "diffusion")  # steps that need one run on the GPU where there is one


def resources_of(step: Step, strategy: Strategy) -> tuple[str, ...]:
    """Names of the resources of a step: what its part needs, and what the strategy's personalisation learned."""
    learned = ("learned",) if strategy.personalise is not None and step.kind == "generate" else ()
    return (*step.source.needs, *learned)


def dataset_of(resource: str, subset_draw: str, learned: str | None) -> str:
    """The dataset behind a resource.

    Args:
        resource: ``clip``, ``diffusion``, ``pool``, ``index``, ``originals``, ``held_back``,
            ``sampling`` or ``learned``.
        subset_draw: draw of the target subset.
        learned: dataset of what the strategy's personalisation learned.
    """
    datasets = {
        "clip": "clip",
        "diffusion": "diffusion",
        "pool": "pool.images",
        "index": "pool.index",
        "originals": f"target.{subset_draw}.train",
        "held_back": f"target.{subset_draw}.held_back",
        "sampling": "params:sampling",
        "learned": learned or "",
    }
    if resource not in datasets:
        raise ValueError(f'a part needs "{resource}"; resources are {", ".join(datasets)}')
    return datasets[resource]
