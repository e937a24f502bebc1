"""A CLIP space that can be drawn: unit vectors in the plane, each text and image at an angle in degrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.pool import open_pool
from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex, build_index
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings


def at(*degrees: float) -> np.ndarray:
    """Unit vectors at these angles, [n, 2]."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)


def images(degrees: Sequence[float], name: str, labels: Sequence[int] | None = None) -> ImageTable:
    """Images at these angles, no two alike; the caption says where."""
    random = np.random.default_rng(0)
    return ImageTable.from_rows(
        image_row(
            random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
            f"{name}/{number}",
            caption=f"at {angle}",
            label=labels[number] if labels is not None else None,
        )
        for number, angle in enumerate(degrees)
    )


class ClipOfAngles:
    """Stands for CLIP: a text lies at the angle that ends it, an image where its caption says."""

    name = "toy_clip"

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return at(*(float(text.split()[-1]) for text in texts))

    def embed_table(self, table: ImageTable) -> np.ndarray:
        return self.embed_texts(table.column("caption"))


def index_of(*degrees: float, clip_name: str = "toy_clip") -> VectorIndex:
    return build_index(Embeddings(at(*degrees), clip_name))


def around(
    pool: Sequence[float],
    names: tuple[str, ...] = ("0", "90"),
    originals: Mapping[int, Sequence[float]] | None = None,
    clip_name: str = "toy_clip",
    class_table: ClassTable | None = None,
) -> Surroundings:
    """A pool at these angles, and each class's originals at theirs."""
    listed = [(angle, label) for label, angles in (originals or {}).items() for angle in angles]
    resources = {
        "clip": ClipOfAngles(),
        "pool": open_pool(images(pool, "pool")),
        "index": index_of(*pool, clip_name=clip_name),
        "originals": images([angle for angle, _ in listed], "originals", [label for _, label in listed]),
    }
    return Surroundings(names, "toy", ("toy",), resources, class_table=class_table or ClassTable())


def rows(
    part: ImageSource, wanted: dict[int, int], surroundings: Surroundings, first: dict[int, int] | None = None
) -> list[dict]:
    """What a part proposes."""
    proposed: Iterator[dict] = part.propose(wanted, first or dict.fromkeys(wanted, 0), surroundings)
    return list(proposed)


def angles(found: Sequence[dict], label: int = 0) -> list[float]:
    """Where the images of a class lie, in the order in which they come; without those that a floor keeps out."""
    return [_angle(row) for row in found if row["label"] == label and row["refused"] is None]


def kept_out(found: Sequence[dict], label: int = 0) -> list[float]:
    """Where the images of a class lie that a floor keeps out, in the order in which they come."""
    return [_angle(row) for row in found if row["label"] == label and row["refused"] is not None]


def _angle(row: dict) -> float:
    return float(row["caption"].split()[-1])
