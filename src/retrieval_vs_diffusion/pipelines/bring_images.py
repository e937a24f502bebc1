"""The node that brings a step's images.

It stands apart from its wiring, so that a new parameter of the study makes no image again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings
from retrieval_vs_diffusion.strategies.wiring import prepare

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import SubsetDraw


def bring_images(
    source: ImageSource,
    strategy: str,
    added_per_original: float,
    seed_parts: tuple[str | int, ...],
    subset: SubsetDraw | None,
    class_table: ClassTable,
    personalisation: Personalisation | None,
    personalised: str | None,
    lets_leaks_through: bool,
    class_names: list[str],
    originals_per_class: list[int],
    protected: pd.DataFrame,
    screening: dict[str, Any],
    compute: dict[str, Any],
    previous: ImageTable | None = None,
    **inputs: Any,
) -> tuple[ImageTable, ImageTable]:
    """Bring screened images from one source, so many for each original; also examples of what was refused.

    The ledger says how many were refused and why, and what the step cost.

    Args:
        source: the part that brings them.
        strategy: whose step it is.
        added_per_original: images that the strategy adds for each original.
        seed_parts: world, strategy, draw and step.
        subset: which images of the reservoir are the originals; None where the part needs none.
        class_table: what the part's prompts use of it.
        personalisation: the part that teaches the diffusion model what it learned; None without one.
        personalised: the draw of the personalisation that is used.
        lets_leaks_through: whether copies of validation and test images pass, to measure what they would buy.
    """
    from retrieval_vs_diffusion.images.screening import Gate, Screening
    from retrieval_vs_diffusion.images.target import times_originals
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.strategies.collect import collect
    from retrieval_vs_diffusion.strategies.metering import metered

    resources = prepare(inputs, source.needs, subset, class_names, originals_per_class, compute)
    surroundings = Surroundings(tuple(class_names), strategy, seed_parts, resources, previous, class_table)
    gate = Gate(Screening.model_validate(screening), protected, lets_leaks_through)
    with metered(choose_device(**compute), resources.get("diffusion")) as cost:
        if personalisation is not None:
            learned = resources["learned"][personalised]
            conditions = personalisation.teach(learned, resources["diffusion"], surroundings)
            surroundings = replace(surroundings, conditions=conditions, personalised=learned.name)
        collected = collect(source, times_originals(originals_per_class, added_per_original), surroundings, gate)
    collected.images.ledger["steps"][-1]["cost"] = cost().to_dict()
    return collected.images, collected.refused
