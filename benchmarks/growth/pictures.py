"""A pool of 1 to 25 thousand JPEGs in tars: read, and embedded with the repository's CLIP."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from benchmarks.growth.drawn_pictures import drawn, write_tars
from benchmarks.growth.series import Series

PRETRAINED = Path(__file__).parents[2] / "data/06_models/pretrained"
_SIDE = 64


def _prepare(size: int, folder: Path) -> None:
    write_tars(folder / "tars", ((data, f"picture {number}") for number, data in enumerate(drawn(_SIDE, size))))


def read(size: int, folder: Path) -> Generator[None, None, None]:
    """Tars become an image table."""
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
    from retrieval_vs_diffusion.pipelines.data_ingest.nodes import read_pool

    dataset = ImageTableDataset(filepath=str(folder / "images"))
    yield
    dataset.save(read_pool(CaptionedImages(folder / "tars")))
    assert len(dataset.load()) > 0.9 * size  # of equal pictures one is kept


def embed(size: int, folder: Path) -> Generator[None, None, None]:
    """The image table becomes embeddings."""
    del size
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.models.clip import load_clip
    from retrieval_vs_diffusion.pipelines.index_build import nodes

    clip = load_clip(str(PRETRAINED / "clip"))
    images = ImageTableDataset(filepath=str(folder / "images")).load()
    yield
    EmbeddingsDataset(filepath=str(folder / "embeddings")).save(
        nodes.embed(images, clip, {"device": "cpu", "threads": 1})
    )


SERIES = Series(
    "pictures", "images in the pool", (1_000, 5_000, 25_000), _prepare, {"read the pool": read, "embed it": embed}
)
