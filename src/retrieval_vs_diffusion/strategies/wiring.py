"""Which datasets the parts of a strategy are given for the resources that they need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.strategies.composition import Step, Strategy

MODEL_RESOURCES = ("clip", "diffusion")  # steps that need one run on the GPU where there is one
_PARTS_OF_RESOURCES = frozenset(
    {"reservoir", "takedown", "store", "downloads", "embeddings"}
)  # no resource by themselves
TARGET_RESOURCES = ("originals", "held_back")  # views of the reservoir, drawn when they are needed


def resources_of(step: Step, strategy: Strategy) -> tuple[str, ...]:
    """Names of the resources of a step: what its part needs, and what the strategy's personalisation learned."""
    learned = ("learned",) if strategy.personalise is not None and step.kind == "generate" else ()
    return (*step.source.needs, *learned)


def datasets_of(resources: Iterable[str], learned: str | None = None) -> dict[str, str]:
    """Node inputs that provide resources.

    Args:
        resources: ``clip``, ``diffusion``, ``pool``, ``index``, ``originals``, ``held_back``,
            ``sampling`` or ``learned``.
        learned: dataset of what the strategy's personalisation learned.

    Raises:
        ValueError: for a resource of another name.
    """
    reservoir = {"reservoir": "target.reservoir"}
    known = {
        "clip": {"clip": "clip"},
        "diffusion": {"diffusion": "diffusion"},
        "pool": {
            "pool": "pool.images",
            "takedown": "pool.takedown",
            "store": "pool.downloaded",
            "downloads": "params:pool.downloads",
        },
        "index": {"index": "pool.index", "embeddings": "pool.embeddings"},
        "originals": reservoir,
        "held_back": reservoir,
        "sampling": {"sampling": "params:sampling"},
        "learned": {"learned": learned or ""},
    }
    inputs: dict[str, str] = {}
    for resource in resources:
        if resource not in known:
            raise ValueError(f'a part needs "{resource}"; resources are {", ".join(known)}')
        inputs |= known[resource]
    return inputs


def prepare(
    inputs: dict[str, Any],
    needs: Iterable[str],
    subset: SubsetDraw | None,
    class_names: list[str],
    originals_per_class: list[int],
    compute: dict[str, Any],
) -> dict[str, Any]:
    """Turn a node's inputs into the resources that a part asks for: views drawn, models on their device."""
    from retrieval_vs_diffusion.images.pool import open_pool
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.models.sampling import Sampling

    device = choose_device(**compute)
    resources = {name: value for name, value in inputs.items() if name not in _PARTS_OF_RESOURCES}
    for name in set(MODEL_RESOURCES) & resources.keys():
        resources[name] = resources[name].to(device)
    if subset is not None:
        drawn = {"originals": subset.train, "held_back": subset.held_back}
        for name in set(TARGET_RESOURCES) & set(needs):
            resources[name] = drawn[name](inputs["reservoir"], class_names, originals_per_class)
    if "pool" in resources:
        from retrieval_vs_diffusion.images.downloads.settings import Downloads

        settings = Downloads.model_validate(inputs["downloads"])
        resources["pool"] = open_pool(inputs["pool"], inputs["takedown"], inputs["store"], settings)
    if "index" in resources:
        resources["index"] = resources["index"].with_embeddings(inputs["embeddings"])
    if "sampling" in resources:
        resources["sampling"] = Sampling.model_validate(resources["sampling"])
    return resources
