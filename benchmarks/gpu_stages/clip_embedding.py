"""Embedding JPEGs with CLIP ViT-L/14, beside what clip-retrieval does of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.gpu_stages import production
from benchmarks.gpu_stages.differences import lowest_cosine, lowest_cosine_of_differences
from benchmarks.gpu_stages.photographs import jpegs
from benchmarks.gpu_stages.place import Place, exact_float32
from benchmarks.gpu_stages.reported import Check, GpuRow
from benchmarks.measuring import interleaved
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.embedding import embed_table

MODEL, FLOPS = "ViT-L-14", 162e9  # of its image tower for one image
SIDE, BATCH = 256, 256  # pixels of img2dataset's images; images of clip-retrieval's batches
_TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "patch_size": 56},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def measure(place: Place) -> Iterator[GpuRow]:
    """One row."""
    different, times = (16, 2) if place.tiny else (1024, 8)
    encoded = [data for data, _ in jpegs(different, SIDE)] * times
    table = ImageTable.from_rows(
        {"image_id": str(number), "content_hash": str(number), "image": {"bytes": data, "path": None}}
        for number, data in enumerate(encoded)
    )
    files = _write(encoded, place.folder / "jpegs")
    model, preprocess, tokenizer = _random_model(place)
    exact, clip = Clip(model, tokenizer, "random", place.device), production.clip(model, tokenizer, place)
    theirs = _ClipRetrieval(model, preprocess, place)
    few = table.take(range(min(different, 256)))
    with exact_float32():
        reference = exact.embed_table(few)

    made: dict[str, np.ndarray] = {}

    def ours() -> float:
        return place.timed(lambda: made.update(ours=_embedded(table, clip)), len(table))

    def peer() -> float:
        made["theirs"], seconds = theirs.embed(files)
        return seconds

    work = f"{len(table)} JPEGs of {SIDE} pixels, {different} of them different, {MODEL} with random weights"
    measured = interleaved(ours, peer, repeats=1 if place.tiny else 3, work=work)
    mine, their = made["ours"][: len(few)], made["theirs"][: len(few)].astype(np.float32)
    yield GpuRow(
        "clip_embedding",
        "clip-retrieval-stand-in",
        measured,
        "images",
        flops=None if place.tiny else FLOPS,
        checks=(
            Check("cosine of ours to float32", lowest_cosine(mine, reference), at_least=0.999),
            Check("cosine of differences", lowest_cosine_of_differences(mine, reference), at_least=0.99),
            Check("cosine of ours to the peer's", lowest_cosine(mine, their), at_least=0.999),
        ),
        peak_memory=place.peak_memory(lambda: _embedded(few, clip)),
        at_least=2,
        aim=2200,
    )
    place.profiled("clip_embedding", lambda: _embedded(few, clip))


def _embedded(table: ImageTable, clip: Clip) -> np.ndarray:
    return np.concatenate(list(embed_table(table, clip)))  # type: ignore[arg-type]


def _write(encoded: list[bytes], folder: Path) -> list[Path]:
    folder.mkdir()
    files = [folder / f"{number:06d}.jpg" for number in range(len(encoded))]
    for file, data in zip(files, encoded, strict=True):
        file.write_bytes(data)
    return files


def _random_model(place: Place) -> tuple[Any, Any, Any]:
    import open_clip

    torch.manual_seed(0)
    if place.tiny:
        configurations = place.folder / "clip_configurations"
        configurations.mkdir()
        (configurations / f"{MODEL}-tiny.json").write_text(json.dumps(_TINY))
        open_clip.add_model_config(configurations)
    name = f"{MODEL}-tiny" if place.tiny else MODEL
    model, _, preprocess = open_clip.create_model_and_transforms(name, device=place.device)
    return model.eval(), preprocess, open_clip.get_tokenizer(name)


class _Files(Dataset):
    """JPEG files, decoded and preprocessed one by one."""

    def __init__(self, files: list[Path], preprocess: Any) -> None:
        self._files, self._preprocess = files, preprocess

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> torch.Tensor:
        return self._preprocess(Image.open(self._files[number]))


class _ClipRetrieval:
    """What clip-retrieval 2.45 does of its files reader and its mapper, where its packages cannot be installed.

    Workers decode with Pillow and open_clip's own transform, as many as there are processors (it takes 4 if it is not
    told); the model is open_clip's in float32 with autocast to bfloat16, products in TF32, as all_clip loads it.
    """

    def __init__(self, model: Any, preprocess: Any, place: Place) -> None:
        self._model, self._preprocess, self._place = model, preprocess, place

    @torch.no_grad()
    def embed(self, files: list[Path]) -> tuple[np.ndarray, float]:
        """Embeddings, and seconds an image once the first batch has come: the steady state."""
        on_gpu = self._place.device.type == "cuda"
        workers = len(os.sched_getaffinity(0)) if on_gpu else 0
        loading = {"num_workers": workers, "pin_memory": on_gpu, **({"prefetch_factor": 2} if workers else {})}
        batch = min(BATCH, len(files) // 2)
        batches = iter(DataLoader(_Files(files, self._preprocess), batch_size=batch, **loading))
        vectors = [self._embed(next(batches))]
        seconds = self._place.timed(lambda: vectors.extend(map(self._embed, batches)), len(files) - batch)
        return np.concatenate(vectors), seconds

    def _embed(self, images: torch.Tensor) -> np.ndarray:
        device = self._place.device
        torch.backends.cuda.matmul.allow_tf32 = True
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            embedded = self._model.encode_image(images.to(device))
        torch.backends.cuda.matmul.allow_tf32 = False
        embedded /= embedded.norm(dim=-1, keepdim=True)
        return embedded.cpu().to(torch.float16).numpy()
