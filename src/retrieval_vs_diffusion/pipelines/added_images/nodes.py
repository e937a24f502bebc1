"""The node that tabulates what more images, and other mixtures, are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def weigh_added_images(
    variants: list[dict[str, Any]], protocols: dict[str, str], **outcomes: pd.DataFrame
) -> pd.DataFrame:
    """Accuracy of every strategy against how many images are added and how they are mixed in.

    Args:
        variants: what each varies.
        protocols: digest of all else that the figures of a strategy depend on.
        outcomes: ``outcomes_of_<strategy>``.
    """
    from retrieval_vs_diffusion.comparison.added_images import added_images_table

    return added_images_table(variants, protocols, outcomes)
