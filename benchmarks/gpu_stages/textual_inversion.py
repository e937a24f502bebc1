"""Pseudo-words of all classes learned together, beside diffusers' example, which learns a class at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_stages import production
from benchmarks.gpu_stages.class_words import RATE, START, ClassWords, vectors_of
from benchmarks.gpu_stages.per_class_inversion import PerClassInversion
from benchmarks.gpu_stages.place import Place, exact_float32
from benchmarks.gpu_stages.random_diffusion import diffusion_folder
from benchmarks.gpu_stages.reported import Check, GpuRow
from benchmarks.measuring import interleaved
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.flops import CountedFlops

BRIEF = 2  # steps that are compared with float32, and counted
PEER_BATCH = 4  # image-steps of a step: the example's documentation has them so
PEER_CLASSES = 2  # that the peer learns in a repeat


def measure(place: Place) -> Iterator[GpuRow]:
    """One row."""
    folder = diffusion_folder(place)
    exact = load_diffusion(str(folder)).to(place.device)
    diffusion = production.diffusion(folder, place)
    side = exact.image_size
    words, steps = (ClassWords.of(2, 2, side, 4), 4) if place.tiny else (ClassWords.of(10, 5, side, 32), 25)
    image_steps = steps * words.batch_size
    peer_steps = image_steps // words.classes // PEER_BATCH  # as many image-steps of a class as ours
    peer = PerClassInversion(folder, place, START, RATE)
    learned: dict[str, list[Tensor]] = {}

    def ours() -> float:
        return place.timed(lambda: learned.update(ours=vectors_of(words.learn(diffusion, steps))), image_steps)

    def theirs() -> float:
        learned["theirs"] = []
        shown = [words.encoded(label) for label in range(PEER_CLASSES)]
        one_by_one = (peer.learn(each, peer_steps, PEER_BATCH) for each in shown)
        return place.timed(lambda: learned["theirs"].extend(one_by_one), PEER_CLASSES * peer_steps * PEER_BATCH)

    work = f"{image_steps} image-steps of {words.classes} classes by us, {PEER_CLASSES} of the classes by the peer"
    measured = interleaved(ours, theirs, repeats=1 if place.tiny else 3, work=work)
    losses = {name: _losses(words, diffusion, learned[name]) for name in learned}
    with exact_float32():
        losses["float32"] = _losses(words, exact, learned["ours"])
    with CountedFlops(diffusion.pipeline) as counted:
        words.learn(diffusion, BRIEF)
    yield GpuRow(
        "textual_inversion",
        "diffusers-per-class",
        measured,
        "image-steps",
        counted.total / (BRIEF * words.batch_size),
        (
            *_beside_float32(words, diffusion, exact),
            Check("loss with our words to the same in float32", losses["ours"] / losses["float32"], 0.99, 1.01),
            Check("loss with our words to that with the peer's", losses["ours"] / losses["theirs"], at_most=1.01),
        ),
        place.peak_memory(lambda: words.learn(diffusion, BRIEF)),
        at_least=3,
    )
    place.profiled("textual_inversion", lambda: words.learn(diffusion, BRIEF))


def _losses(words: ClassWords, diffusion: Diffusion, learned: list[Tensor]) -> float:
    """Of the classes that both sides learned."""
    return sum(words.loss(diffusion, label, learned[label]) for label in range(PEER_CLASSES))


def _beside_float32(words: ClassWords, diffusion: Diffusion, exact: Diffusion) -> tuple[Check, Check]:
    """That the first steps go where those in float32 go."""
    low = words.learn(diffusion, BRIEF)
    with exact_float32():
        reference = words.learn(exact, BRIEF)
    encoder, tokenizer = exact.pipeline.text_encoder, exact.pipeline.tokenizer
    start = encoder.get_input_embeddings().weight[tokenizer(START, add_special_tokens=False).input_ids].mean(0).cpu()
    changes = [torch.cat(vectors_of(each)) - start for each in (low, reference)]
    losses = [each.curve.looks[-1]["train_loss"] for each in (low, reference)]
    return (
        Check("training loss to that in float32", losses[0] / losses[1], 0.99, 1.01),
        Check(
            "cosine of what was learned to float32", float(functional.cosine_similarity(*changes).min()), at_least=0.8
        ),
    )
