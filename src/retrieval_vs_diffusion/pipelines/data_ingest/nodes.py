"""Nodes that read target and pool; what they run is imported when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable


def read_target(reader: Any) -> tuple[list[str], ImageTable, ImageTable, ImageTable]:
    """Read class names, reservoir, validation and test images of the target."""
    target = reader.read()
    return list(target.class_names), target.reservoir, target.val, target.test


def read_pool(reader: Any) -> ImageTable:
    """Read the pool with its captions."""
    return reader.read()


def fingerprint_protected(val: ImageTable, test: ImageTable) -> pd.DataFrame:
    """Fingerprint the images that no added image may copy."""
    from retrieval_vs_diffusion.images.screening import fingerprint

    return fingerprint(val, test)
