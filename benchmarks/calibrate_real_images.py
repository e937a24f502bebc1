"""How often the interval of real-image equivalents holds the truth, on synthetic predictions.

A size curve and a row with known accuracies, so that the number of real images that the row is worth is known:

    OMP_NUM_THREADS=1 python benchmarks/calibrate_real_images.py [--sets 500]    # 3 minutes of one core
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.real_images import worth_in_real_images
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate

SIZES = np.array([5, 10, 15, 20, 30, 45])
CURVE = np.array([0.56, 0.74, 0.81, 0.84, 0.88, 0.905])  # about the base world's
ROWS = (0.80, 0.825, 0.86)
ORIGINALS, IMAGES = 10, 497
SETTINGS = {"as the base world": Variation(), "repetitions vary more": Variation(2.0, 0.3, 0.15, 0.7)}


def outcomes_of(correct: np.ndarray) -> Outcomes:
    """Right and wrong predictions of two classes."""
    repetitions, images = correct.shape
    labels = np.zeros(images, dtype=np.int64)
    ids = tuple(f"{number:04d}" for number in range(images))
    return Outcomes(tuple(range(repetitions)), ids, labels, np.where(correct, 0, 1).astype(np.int64))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    sets, started = parser.parse_args().sets, time.perf_counter()
    print("| setting | repetitions | row's accuracy | worth, truly | intervals that hold it, % | median interval |")
    print("|---|---|---|---|---|---|")
    for setting, variation in SETTINGS.items():
        for repetitions in (5, 20):
            for number, accuracy in enumerate(ROWS):
                random = np.random.default_rng([number, repetitions])
                truth = float(np.interp(accuracy, CURVE, SIZES)) - ORIGINALS
                odds = [log_odds_for(each, variation) for each in (*CURVE, accuracy)]
                ends = []
                for _ in range(sets):
                    *curve, row = (outcomes_of(each) for each in simulate(odds, repetitions, IMAGES, variation, random))
                    worth = worth_in_real_images(row, list(zip(SIZES.astype(float), curve, strict=True)), ORIGINALS)
                    ends.append((worth.low, worth.high))
                low, high = np.array(ends).T
                held = 100 * np.mean((low <= truth) & (truth <= high))
                median = f"{np.median(low):.1f} to {np.median(high):.1f}"
                print(
                    f"| {setting} | {repetitions} | {accuracy:.3f} | {truth:.1f} | {held:.1f} | {median} |", flush=True
                )
    print(f"\n{sets} sets a line, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
