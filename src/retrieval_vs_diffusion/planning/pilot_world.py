"""What a pilot works with: a few images of a few classes, a little pool, and the world's own models."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable

if TYPE_CHECKING:
    import pandas as pd
    import torch

_PROTECTED_AT_MOST = 60_000  # fingerprints that the pilot's screening compares with


@dataclass(frozen=True)
class Stages:
    """The functions of the real pipelines' nodes, which the pilot times.

    Args:
        bring: images of one step.
        learn: a personalisation.
        train: a classifier.
        predict: test images.
        measure: a set of added images.
        embed: images.
        build_index: over embeddings.
    """

    bring: Callable[..., Any]
    learn: Callable[..., Any]
    train: Callable[..., Any]
    predict: Callable[..., Any]
    measure: Callable[..., Any]
    embed: Callable[..., Any]
    build_index: Callable[..., Any]


@dataclass(frozen=True)
class PilotWorld:
    """A small world made of the real one.

    Args:
        world: its name, for seeds.
        class_names: of all classes.
        labels: of those that are tried.
        images_per_class: originals that each of them has.
        reservoir: twice as many images of each.
        val: images of those classes.
        clip: the world's.
        diffusion: the world's, on the CPU, never changed; None without one.
        judge: the world's; None without one.
        pool: its first images; None without one.
        embeddings: of those.
        index: over them.
        protected: fingerprints of ``val``, repeated to as many as the target has validation and test images.
        class_table: what is said of the classes.
        settings: the parameters ``screening``, ``sampling``, ``downloads``, ``compute`` and ``classifier``.
        takedown: ids and URLs that must not be used.
        downloads: folder for what a pool of links has downloaded.
    """

    world: str
    class_names: tuple[str, ...]
    labels: tuple[int, ...]
    images_per_class: int
    reservoir: ImageTable
    val: ImageTable
    clip: Any
    diffusion: Any
    judge: Any
    pool: ImageTable | None
    embeddings: Any
    index: Any
    protected: pd.DataFrame
    class_table: ClassTable
    settings: Mapping[str, Any]
    takedown: frozenset[str]
    downloads: Path

    @property
    def names(self) -> list[str]:
        """Names of the classes that are tried; their positions are the labels of ``tried``."""
        return [self.class_names[label] for label in self.labels]

    @property
    def originals_per_class(self) -> list[int]:
        """Of the classes that are tried."""
        return [self.images_per_class] * len(self.labels)

    @property
    def subset(self) -> SubsetDraw:
        """Which images of the reservoir are the pilot's originals."""
        return SubsetDraw(derive_seed(self.world, "plan"))

    def tried(self, table: ImageTable) -> ImageTable:
        """A table of the target's with labels among the classes that are tried."""
        return relabelled(table, {label: position for position, label in enumerate(self.labels)})

    def in_whole(self, table: ImageTable) -> ImageTable:
        """A table with labels among the classes that are tried, with those of the whole target."""
        return relabelled(table, dict(enumerate(self.labels)))

    def fresh_diffusion(self) -> Any:
        """A copy of the model that may be changed."""
        return copy.deepcopy(self.diffusion)


def relabelled(table: ImageTable, new: Mapping[int, int]) -> ImageTable:
    """The same rows with other labels."""
    rows = [{**row, "label": new[row["label"]]} for row in table.table.to_pylist()]
    return ImageTable.from_rows(rows, table.ledger)


def repeated(table: ImageTable, rows: int) -> ImageTable:
    """So many rows: those of the table, over and over, with ids of their own."""
    taken = table.take(np.resize(np.arange(len(table)), rows)).table.to_pylist()
    return ImageTable.from_rows({**row, "image_id": f"{row['image_id']}/{n}"} for n, row in enumerate(taken))


def protected_in_all(val: ImageTable, images: int) -> pd.DataFrame:
    """Fingerprints of these images, repeated to as many as there are to protect in all (60,000 at most)."""
    from retrieval_vs_diffusion.images.screening import fingerprint

    few = fingerprint(val, val.take([]))
    rows = max(len(few), min(images, _PROTECTED_AT_MOST))
    return few.iloc[np.resize(np.arange(len(few)), rows)].reset_index(drop=True)


def release(device: torch.device) -> None:
    """Give back what models that are not used any more held."""
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
