"""CLIP embedding of JPEG shards beside clip-retrieval's, both from encoded images to vectors on the disk."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.measuring import Measured, interleaved
from benchmarks.peer_process import PeerProcess
from benchmarks.rows import row

_PER_TAR = 32
_FEW, _MANY = 64, 160  # images of the short and of the long run: the difference has no start-up in it


@row("clip_embedding", "clip-retrieval", at_least=1.4, peer_environment="clip_retrieval")
def clip_embedding(folder: Path) -> Measured:
    """A small vision transformer and photographs of 1365 x 1024 pixels.

    What is gained is decoding: smaller photographs, or a larger model, bring the ratio down towards 1.
    """
    return _measure(folder, "ViT-S-32-alt", 1024)


@row("extra_clip_embedding_512_pixels", "clip-retrieval", peer_environment="clip_retrieval")
def of_small_photographs(folder: Path) -> Measured:
    """The same model, and photographs of 683 x 512 pixels."""
    return _measure(folder, "ViT-S-32-alt", 512)


@row("extra_clip_embedding_768_pixels", "clip-retrieval", peer_environment="clip_retrieval")
def of_middle_sized_photographs(folder: Path) -> Measured:
    """The same model, and photographs of 1024 x 768 pixels."""
    return _measure(folder, "ViT-S-32-alt", 768)


@row("extra_clip_embedding_bfloat16", "clip-retrieval", peer_environment="clip_retrieval")
def in_half_precision(folder: Path) -> Measured:
    """Ours in bfloat16, which the peer does on a GPU only: not the same precision."""
    return _measure(folder, "ViT-S-32-alt", 1024, precision="bfloat16")


def _measure(folder: Path, model: str, short_side: int, precision: str = "float32", repeats: int = 3) -> Measured:
    import torch

    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.catalog.model_datasets import ClipDataset
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.pipelines.index_build.nodes import embed

    weights = _random_weights(folder, model)
    encoded = _photographs(_MANY, short_side)
    tars = _write_tars(folder, encoded)
    for name, part in (("few", encoded[:_FEW]), ("many", encoded)):
        rows = [{"image_id": str(n), "content_hash": str(n), "image": {"bytes": e}} for n, e in enumerate(part)]
        ImageTableDataset(filepath=str(folder / name)).save(ImageTable.from_rows(rows))
    clip = ClipDataset(model=model, checkpoint=str(weights), precision=precision).load()
    compute = {"device": "cpu", "threads": torch.get_num_threads()}

    def run(name: str) -> float:
        started = time.perf_counter()
        images = ImageTableDataset(filepath=str(folder / name)).load()
        EmbeddingsDataset(filepath=str(folder / f"{name}_embedded")).save(embed(images, clip, compute))
        return time.perf_counter() - started

    with PeerProcess("clip_retrieval", model, str(weights), "2", str(_PER_TAR)) as peer:

        def peer_run(name: str, those: Sequence[str]) -> float:
            return peer.ask(tars=those, output=str(folder / f"peer_{name}"))["seconds"]

        measured = interleaved(
            lambda: run("many") - run("few"),
            lambda: peer_run("many", tars) - peer_run("few", tars[: _FEW // _PER_TAR]),
            repeats,
            warm_up=False,
            work=f"{_MANY - _FEW} JPEGs of {short_side} pixels on the short side, {model} at random, {precision}: a run "
            f"of {_MANY} images less a run of {_FEW}",
        )
    ours = EmbeddingsDataset(filepath=str(folder / "many_embedded")).load().in_memory()
    return measured.with_check(*_same(ours, *_of_peer(folder / "peer_many")))


def _same(ours: np.ndarray, theirs: np.ndarray, order: np.ndarray) -> tuple[bool, str]:
    ours = ours[order]
    cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    others = (ours[1:] * theirs[:-1]).sum(axis=1)
    said = f"cosine {cosines.min():.5f} at least, {cosines.mean():.5f} on average; of two images {others.mean():.3f}"
    return sorted(order) == list(range(len(ours))) and bool(cosines.min() >= 0.999), said


def _of_peer(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Its embeddings, and the number of the image that each is of."""
    import pyarrow.parquet as pq

    names = pq.read_table(folder / "metadata" / "metadata_0.parquet").column("image_path").to_pylist()
    return np.load(folder / "img_emb" / "img_emb_0.npy").astype(np.float32), np.array([int(name) for name in names])


def _random_weights(folder: Path, model: str) -> Path:
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = open_clip.create_model(model).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def _photographs(n: int, short_side: int) -> list[bytes]:
    """Natural JPEGs of quality 90, 4 by 3: crops of scikit-learn's two photographs, mirrored, of other colours."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(each) for each in load_sample_images().images]
    random, made = np.random.default_rng(0), []
    for number in range(n):
        image = photographs[number % 2]
        high = int(random.integers(220, image.height + 1))
        wide = high * 4 // 3
        left, top = random.integers(0, image.width - wide + 1), random.integers(0, image.height - high + 1)
        size = (short_side * 4 // 3, short_side)
        image = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + wide, top + high))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for change in (ImageEnhance.Color, ImageEnhance.Brightness):
            image = change(image).enhance(random.uniform(0.5, 1.5))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def _write_tars(folder: Path, encoded: Sequence[bytes]) -> list[str]:
    """Tars as webdataset has them, of so many images each."""
    tars = []
    for first in range(0, len(encoded), _PER_TAR):
        tars.append(str(folder / f"{first:05d}.tar"))
        with tarfile.open(tars[-1], "w") as tar:
            for number in range(first, min(first + _PER_TAR, len(encoded))):
                member = tarfile.TarInfo(f"{number:06d}.jpg")
                member.size = len(encoded[number])
                tar.addfile(member, io.BytesIO(encoded[number]))
    return tars
