"""Textual inversion of all classes together beside one class at a time, over as many image-steps.

    python -m benchmarks.joint_inversion [--steps 150] [--repetitions 3]

Both learn from the same originals and start from the class's name; a step of the joint optimisation holds 50
images of all classes, a step of a class by itself 5 of its own, so each class gets as many image-steps either way.
Judged on held-back images that neither saw, at the same noise: the mean denoising loss.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.unseen_loss import loss_on, of_classes
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.pseudo_words import PseudoWords

ROOT = Path(__file__).parents[1]
PER_CLASS, JUDGED = 10, 20
PROMPT = "a photo of a {}"


def main() -> None:
    """Print a line a repetition, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    target = RenderedDigits().read()
    names = target.class_names
    rows = []
    for repetition in range(arguments.repetitions):
        subset = SubsetDraw(repetition)
        originals = subset.train(target.reservoir, names, [PER_CLASS] * len(names))
        unseen = subset.held_back(target.reservoir, names, [PER_CLASS] * len(names))
        everything = list(range(len(names)))
        joint, joint_seconds = learn(originals, unseen, names, everything, 50, arguments, repetition)
        single, single_seconds = zip(
            *(learn(originals, unseen, names, [label], 5, arguments, repetition) for label in everything), strict=True
        )
        start, _ = learn(originals, unseen, names, everything, 50, arguments, repetition, steps=0)
        rows.append((start, joint, float(np.mean(single)), joint_seconds, sum(single_seconds)))
        print(
            f"repetition {repetition}: name {rows[-1][0]:.4f}  together {rows[-1][1]:.4f} ({rows[-1][3]:.0f} s)  one by one {rows[-1][2]:.4f} ({rows[-1][4]:.0f} s)",
            flush=True,
        )
    start, joint, single, joint_seconds, single_seconds = np.mean(rows, axis=0)
    print(
        f"mean: name {start:.4f}, together {joint:.4f}, one by one {single:.4f}; "
        f"{single_seconds / joint_seconds:.2f} times the seconds"
    )


def learn(
    originals: ImageTable,
    unseen: ImageTable,
    names: tuple[str, ...],
    labels: list[int],
    batch_size: int,
    arguments: argparse.Namespace,
    seed: int,
    steps: int | None = None,
) -> tuple[float, float]:
    """Learn the words of some classes; returns their loss on unseen images and the seconds of learning."""
    diffusion = load_diffusion(str(ROOT / "data/06_models/pretrained/diffusion"))
    words = {f"<{names[label]}>": names[label] for label in labels}
    table = PseudoWords(diffusion, words, vectors=1)
    ids = table.tokenize([PROMPT.format(word) for word in words])
    own = encode_originals(diffusion, of_classes(originals, labels), 0.0, seed)
    judged = encode_originals(diffusion, of_classes(unseen, labels, JUDGED), 0.0, seed)
    place = torch.full((len(names),), -1)
    place[labels] = torch.arange(len(labels))
    started = time.perf_counter()
    if steps != 0:
        training = PersonalisationTraining(
            steps=arguments.steps, learning_rate=arguments.learning_rate, batch_size=batch_size, looks=1
        )
        optimise_denoising(
            diffusion,
            [table.parameter],
            lambda positions, _: table.encode(ids[place[own.labels[positions]]]),
            own,
            names,
            training,
            seed,
            "learning",
        )
    seconds = time.perf_counter() - started
    return loss_on(diffusion, table, ids[place[judged.labels]], judged), seconds


if __name__ == "__main__":
    main()
