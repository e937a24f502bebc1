"""How often a pair of rows that are alike is told apart by who adds repetitions after a look.

    OMP_NUM_THREADS=1 python -m benchmarks.calibrate_stopping [--sets 20000]    # half a minute of one core

Synthetic predictions (comparison/simulation.py) of two rows of one true accuracy, 497 images, the settings of
``calibrate_intervals``. A pair is told apart where p is below 0.05 at any look; more repetitions keep those that are there.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.calibrate_intervals import SETTINGS
from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.simulation import log_odds_for, simulate
from retrieval_vs_diffusion.comparison.verdicts import SIGNIFICANCE

IMAGES = 497
LOOKS = ((5,), (20,), (5, 20), (5, 10, 20))  # numbers of repetitions
TRIED = ("as the base world", "repetitions vary most")


def told_apart(setting: str, sets: int) -> list[float]:
    """Share of the sets, for each of ``LOOKS``."""
    variation, accuracy, _ = SETTINGS[setting]
    random = np.random.default_rng(list(SETTINGS).index(setting))
    found = np.zeros((sets, len(LOOKS)), bool)
    for number in range(sets):
        correct = simulate([log_odds_for(accuracy, variation)] * 2, 20, IMAGES, variation, random).astype(float)
        differences = correct[0] - correct[1]
        clear = {many: crossed_interval(differences[:many]).p_value < SIGNIFICANCE for many in (5, 10, 20)}
        found[number] = [any(clear[many] for many in looks) for looks in LOOKS]
    return found.mean(axis=0).tolist()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=20_000, help="synthetic sets for each setting")
    sets, started = parser.parse_args().sets, time.perf_counter()
    print("| told apart, % of sets | " + " | ".join(f"at {' and '.join(map(str, looks))}" for looks in LOOKS) + " |")
    print("|" + "---|" * (1 + len(LOOKS)))
    for setting in TRIED:
        print(f"| {setting} | " + " | ".join(f"{100 * share:.1f}" for share in told_apart(setting, sets)) + " |")
    print(f"\n{sets} sets a setting, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
