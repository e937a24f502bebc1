"""Images from text and from images, beside diffusers one prompt at a time and beside diffusers at its fastest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gpu_stages import production
from benchmarks.gpu_stages.differences import image_checks
from benchmarks.gpu_stages.diffusers_peer import DiffusersPeer
from benchmarks.gpu_stages.photographs import jpegs
from benchmarks.gpu_stages.place import Place, exact_float32
from benchmarks.gpu_stages.prompted import STRENGTH, Image, Prompted
from benchmarks.gpu_stages.random_diffusion import diffusion_folder
from benchmarks.gpu_stages.reported import Check, GpuRow
from benchmarks.measuring import Side, interleaved
from benchmarks.natural_pictures import psnr
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.flops import CountedFlops
from retrieval_vs_diffusion.models.sampling import Sampling

KINDS = ("text_to_image", "image_to_image")
# 512-pixel images computed together that are tried, of which a GPU of 80 GB holds every one; above, the autoencoder's
# tensors have more elements than 32 bits count.
BATCHES = (8, 16, 32)
PEER_IMAGES, REFERENCES = 3, 2  # that the one-prompt peer makes in a repeat, and that are made in float32
# dB of bfloat16 images to float32 ones: images of other prompts have less. A smaller model of this shape has 36 to 44.
LEAST_PSNR = 28


def measure(place: Place) -> Iterator[GpuRow]:
    """Rows in the order of their value: what cuts the part off leaves the first ones."""
    folder = diffusion_folder(place)
    asked = _asked(place)
    references = {kind: _reference(kind, folder, asked.first(REFERENCES), place) for kind in KINDS}
    peer = DiffusersPeer(folder, place, place.low_precision)
    batch = 2 if place.tiny else peer.best_batch(BATCHES)
    ours = _Ours(production.diffusion(folder, place), asked.first(batch), place)
    for kind in KINDS:
        yield _beside_one_prompt(kind, ours, peer, references[kind])
        place.profiled(kind, lambda kind=kind: ours.make(kind, steps=min(4, asked.steps)))
    peer.compile()
    yield _beside_compiled(ours, peer, references[KINDS[0]])


def _asked(place: Place) -> Prompted:
    n, size, steps = (2, 64, 4) if place.tiny else (max(BATCHES), 512, 50)
    prompts = [f"a photo of a {name}, number {number}" for number, name in enumerate(["zebra", "lamp"] * (n // 2))]
    starts = [codec.decode(data) for data, _ in jpegs(n, size)]
    return Prompted(prompts, list(range(n)), starts, steps)


@dataclass(frozen=True)
class _Reference:
    """Images in float32, by diffusers and by us, and the FLOPs of one of ours."""

    by_diffusers: list[Image]
    by_us: list[Image]
    flops: float

    def checks(self, ours: Sequence[Image], theirs: Sequence[Image]) -> tuple[Check, ...]:
        """Of images in low precision, of which the first are compared; in float32 nothing excuses a difference."""
        exact = psnr(np.stack(self.by_us), np.stack(self.by_diffusers))
        exactly = Check("PSNR of ours in float32 to diffusers' in dB", exact, at_least=50)
        n = len(self.by_us)
        return (exactly, *image_checks(ours[:n], theirs[:n], self.by_diffusers, LEAST_PSNR))


def _reference(kind: str, folder: Path, few: Prompted, place: Place) -> _Reference:
    exact, peer = load_diffusion(str(folder)).to(place.device), DiffusersPeer(folder, place, "float32")
    with exact_float32():
        with CountedFlops(exact.pipeline) as counted:
            ours = _make(exact, kind, few, batch_size=1)
        return _Reference([peer.make(kind, one)[0] for one in few.one_by_one()], ours, counted.total / len(few))


def _make(diffusion: Diffusion, kind: str, asked: Prompted, batch_size: int, steps: int | None = None) -> list[Image]:
    """Our side: what a strategy's generator calls."""
    sampling = Sampling(
        scheduler="DPMSolverMultistepScheduler",
        steps=steps or asked.steps,
        guidance_scale=asked.guidance_scale,
        batch_size=batch_size,
    )
    if kind == "text_to_image":
        return list(diffusion.text_to_image(asked.prompts, asked.seeds, sampling))
    return list(diffusion.image_to_image(asked.prompts, asked.starts, STRENGTH, asked.seeds, sampling))


@dataclass
class _Ours:
    """One batch of ours, with the images that it made last."""

    diffusion: Diffusion
    asked: Prompted
    place: Place
    images: tuple[Image, ...] = ()

    def make(self, kind: str, steps: int | None = None) -> None:
        self.images = tuple(_make(self.diffusion, kind, self.asked, len(self.asked), steps))

    def timed(self, kind: str) -> Side:
        """Makes the batch; seconds an image."""
        return lambda: self.place.timed(lambda: self.make(kind), len(self.asked))


def _beside_one_prompt(kind: str, ours: _Ours, peer: DiffusersPeer, reference: _Reference) -> GpuRow:
    place = ours.place
    few = ours.asked.first(PEER_IMAGES)
    their_images: list[Image] = []

    def theirs() -> float:
        their_images.clear()
        return place.timed(lambda: their_images.extend(peer.make(kind, one)[0] for one in few.one_by_one()), len(few))

    work = f"{len(ours.asked)} prompts of ours, the first {len(few)} of them by the peer, {few.steps} steps"
    measured = interleaved(ours.timed(kind), theirs, repeats=1 if place.tiny else 3, work=work)
    return GpuRow(
        kind,
        "diffusers-one-prompt",
        measured,
        "images",
        reference.flops,
        reference.checks(ours.images, their_images),
        place.peak_memory(lambda: ours.make(kind)),
        at_least=3,
        aim=4.2 if kind == "text_to_image" else None,
    )


def _beside_compiled(ours: _Ours, peer: DiffusersPeer, reference: _Reference) -> GpuRow:
    place, asked, kind = ours.place, ours.asked, KINDS[0]
    their_images: list[Image] = []

    def theirs() -> float:
        their_images.clear()
        return place.timed(lambda: their_images.extend(peer.make(kind, asked)), len(asked))

    work = f"{len(asked)} prompts at once, the peer's best number of {BATCHES}, {asked.steps} steps"
    measured = interleaved(ours.timed(kind), theirs, repeats=1 if place.tiny else 3, work=work)
    checks = reference.checks(ours.images, their_images)
    return GpuRow(kind, "diffusers-compiled-batch", measured, "images", reference.flops, checks, at_least=1)
