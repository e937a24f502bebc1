"""How often the interval of real-image equivalents holds the truth, on synthetic predictions.

Size curves, one that rises all the way and one that flattens, and rows with known accuracies, so that the number of
real images that a row is worth is known:

    OMP_NUM_THREADS=1 python benchmarks/calibrate_real_images.py [--sets 500]    # 4 minutes of one core
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.real_images import worth_in_real_images
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate

SIZES = np.array([5, 10, 15, 20, 30, 45])
CURVES = {
    "rises": np.array([0.56, 0.74, 0.81, 0.84, 0.88, 0.905]),  # about the base world's
    "flattens": np.array([0.56, 0.74, 0.80, 0.82, 0.821, 0.822]),  # noise has its end fall as often as rise
}
ROWS = {"rises": (0.80, 0.825, 0.86, 0.92), "flattens": (0.80, 0.82, 0.8215, 0.85)}  # the last are above the curve
ORIGINALS, IMAGES = 10, 497
SETTINGS = {"as the base world": Variation(), "repetitions vary more": Variation(2.0, 0.3, 0.15, 0.7)}


def outcomes_of(correct: np.ndarray) -> Outcomes:
    """Right and wrong predictions of two classes."""
    repetitions, images = correct.shape
    labels = np.zeros(images, dtype=np.int64)
    ids = tuple(f"{number:04d}" for number in range(images))
    return Outcomes(tuple(range(repetitions)), ids, labels, np.where(correct, 0, 1).astype(np.int64))


def ends_of(
    curve: np.ndarray, accuracy: float, repetitions: int, variation: Variation, sets: int, seed: list[int]
) -> np.ndarray:
    """Lower and upper ends of the interval of a row of this accuracy, of so many sets of predictions."""
    random = np.random.default_rng(seed)
    odds = [log_odds_for(each, variation) for each in (*curve, accuracy)]
    ends = []
    for _ in range(sets):
        *points, row = (outcomes_of(each) for each in simulate(odds, repetitions, IMAGES, variation, random))
        worth = worth_in_real_images(row, list(zip(SIZES.astype(float), points, strict=True)), ORIGINALS)
        ends.append((worth.low, worth.high))
    return np.array(ends)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    sets, started = parser.parse_args().sets, time.perf_counter()
    print(
        "| curve | setting | repetitions | row's accuracy | worth, truly | intervals that hold it, % | median interval |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, curve in CURVES.items():
        for setting, variation in SETTINGS.items():
            for repetitions, (number, accuracy) in itertools.product((5, 20), enumerate(ROWS[name])):
                truth = float(np.interp(accuracy, curve, SIZES, right=np.inf)) - ORIGINALS
                low, high = ends_of(curve, accuracy, repetitions, variation, sets, [number, repetitions]).T
                held = 100 * np.mean((low <= truth) & (truth <= high))
                middle = f"{np.median(low):.1f} to {np.median(high):.1f}"
                cells = (name, setting, repetitions, accuracy, f"{truth:.1f}", f"{held:.1f}", middle)
                print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print(f"\n{sets} sets a line, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
