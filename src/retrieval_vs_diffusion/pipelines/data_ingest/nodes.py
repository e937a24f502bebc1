"""Nodes that read target and pool; what they run is imported when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_stream import ImageStream
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import PerClass

    Images = ImageTable | ImageStream


def read_target(reader: Any) -> tuple[list[str], Images, Images, Images]:
    """Read class names, test, validation and reservoir images of the target.

    In this order, in which they are written: of a picture that is there twice, the earlier part keeps its own.
    """
    target = reader.read()
    return list(target.class_names), target.test, target.val, target.reservoir


def count_originals(per_class: PerClass, reservoir: ImageTable, class_names: list[str]) -> list[int]:
    """How many images of each class are trained on, by label."""
    from retrieval_vs_diffusion.images.target import count_originals as count

    return count(reservoir.labels(), class_names, per_class)


def read_pool(reader: Any) -> Images:
    """Read the pool with its captions."""
    return reader.read()


def fingerprint_protected(val: ImageTable, test: ImageTable) -> pd.DataFrame:
    """Fingerprint the images that no added image may copy."""
    from retrieval_vs_diffusion.images.screening import fingerprint

    return fingerprint(val, test)
