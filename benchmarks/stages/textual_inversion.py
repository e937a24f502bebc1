"""Pseudo-words of all classes learned together, beside diffusers' example, which learns a class at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image

from benchmarks.measuring import Measured, interleaved
from benchmarks.rows import row
from benchmarks.unseen_loss import loss_on, of_classes
from benchmarks.word_of_one_class import learn_word
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion, pseudo_words
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.denoising import encode_originals
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.pseudo_words import PseudoWords

MODEL = str(Path(__file__).parents[2] / "data" / "06_models" / "pretrained" / "diffusion")
ORIGINALS, JUDGED = 10, 10  # of each class
STEPS, OF_A_CLASS = 30, 5  # image-steps of a class in each step, on either side
RATE = 2e-3  # at which so few steps lower the loss
REPEATS = 3  # each with noise of its own: one alone is 2 % off either way
SAME = 0.01  # of the peer's mean loss
Words = Mapping[str, Float[torch.Tensor, "1 d"]]


@row("textual_inversion", "diffusers-per-class", at_least=2)
def textual_inversion(folder: Path) -> Measured:
    """Equal image-steps of the repository's own model on ten classes of digits."""
    target = RenderedDigits().read()
    names, subset = target.class_names, SubsetDraw(0)
    each = [ORIGINALS] * len(names)
    originals = subset.train(target.reservoir, names, each)
    unseen = of_classes(subset.held_back(target.reservoir, names, each), list(range(len(names))), JUDGED)
    words = pseudo_words(names)
    way = TextualInversion(
        training=PersonalisationTraining(
            steps=STEPS, batch_size=OF_A_CLASS * len(names), learning_rate=RATE, held_out_share=0, looks=1
        )
    )
    files = _files_of(originals, folder)
    learned: dict[str, list[Words]] = {"ours": [], "theirs": []}

    def ours() -> float:
        resources = {"diffusion": load_diffusion(MODEL), "originals": originals}
        started = time.perf_counter()
        seed = len(learned["ours"])
        made = way.learn(Surroundings(tuple(names), "benchmark", ("benchmark", seed), resources))
        seconds = time.perf_counter() - started
        learned["ours"].append({word: vectors for file in made.files.values() for word, vectors in file.items()})
        return seconds

    def theirs() -> float:
        pipeline = load_diffusion(MODEL).pipeline
        torch.manual_seed(len(learned["theirs"]))
        started = time.perf_counter()
        made = {
            word: learn_word(pipeline, files[label], word, names[label], way.prompts, STEPS, OF_A_CLASS, RATE)
            for label, word in enumerate(words)
        }
        learned["theirs"].append(made)
        return time.perf_counter() - started

    measured = interleaved(ours, theirs, REPEATS, warm_up=False)
    starts = dict(zip(words, names, strict=True))
    losses = {side: [_loss(starts, unseen, each) for each in learned[side]] for side in learned}
    means = {side: statistics.mean(each) for side, each in losses.items()}
    written = {side: ", ".join(f"{each:.4f}" for each in losses[side]) for side in losses}
    return replace(
        measured.with_check(
            abs(means["ours"] / means["theirs"] - 1) <= SAME,
            f"held-out loss {means['ours']:.4f} ({written['ours']}), theirs {means['theirs']:.4f} ({written['theirs']}), "
            f"{_loss(starts, unseen, {}):.4f} before; within {SAME:.0%} is the same",
        ),
        work=f"{len(names)} classes, {STEPS * OF_A_CLASS} image-steps each, {torch.get_num_threads()} threads",
    )


def _files_of(originals: ImageTable, folder: Path) -> dict[int, list[Path]]:
    """Each class's images as files, as the peer wants them."""
    files: dict[int, list[Path]] = {}
    for number, (pixels, label) in enumerate(zip(originals.pixels(), originals.labels().tolist(), strict=True)):
        path = folder / f"{label}_{number}.png"
        Image.fromarray(pixels).save(path)
        files.setdefault(label, []).append(path)
    return files


def _loss(starts: Mapping[str, str], unseen: ImageTable, learned: Words) -> float:
    """On images that nobody learned from, in the first template; with nothing learned that of the words' start."""
    diffusion = load_diffusion(MODEL)
    table = PseudoWords(diffusion, starts, vectors=1)
    with torch.no_grad():
        for row_of_table, word in enumerate(starts):
            if word in learned:
                table.parameter[row_of_table] = learned[word][0]
    images = encode_originals(diffusion, unseen, 0.0, 0)
    ids = table.tokenize([TextualInversion().prompts[0].format(name=word) for word in starts])
    return loss_on(diffusion, table, ids[images.labels], images)
