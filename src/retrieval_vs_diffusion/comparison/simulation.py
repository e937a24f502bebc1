"""Synthetic predictions whose true accuracies are known, to see whether intervals hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool

_NODES = 128  # enough for standard deviations of 5 and more, to 5 digits


@dataclass(frozen=True)
class Variation:
    """Standard deviations of what moves the log-odds of a right prediction, all normal and independent.

    With these, 497 images and 5 repetitions, a row of 74 % accuracy varies by 2.5 points between
    repetitions, one of 82 % by 2.1, and the mean paired difference of two such rows has a standard error of
    1.0 point: about what the base world's rows show (docs/results.md, 2026-11-23).

    Attributes:
        image: an image is easy or hard for every classifier.
        repetition: a training set is lucky or unlucky for every strategy.
        strategy_by_repetition: what a strategy makes of one training set, its seed included.
        strategy_by_image: an image is easy for one strategy, in every repetition.
    """

    image: float = 2.0
    repetition: float = 0.15
    strategy_by_repetition: float = 0.08
    strategy_by_image: float = 0.7

    @property
    def total(self) -> float:
        """Standard deviation of all of them together."""
        parts = (self.image, self.repetition, self.strategy_by_repetition, self.strategy_by_image)
        return float(np.linalg.norm(parts))


def simulate(
    log_odds: Sequence[float], repetitions: int, images: int, variation: Variation, random: np.random.Generator
) -> Bool[np.ndarray, "k r n"]:
    """Which predictions are right: of every strategy, in every repetition, for every image.

    ``P(right) = sigmoid(log_odds[s] + image[i] + repetition[r] + strategy_by_repetition[s, r] +
    strategy_by_image[s, i])``, the terms drawn from ``random`` with ``variation``'s standard deviations.
    """
    from scipy.special import expit

    strategies = len(log_odds)

    def drawn(deviation: float, *shape: int) -> np.ndarray:
        return deviation * random.standard_normal(shape, dtype=np.float32)

    of_image = drawn(variation.image, images) + drawn(variation.strategy_by_image, strategies, images)
    of_repetition = drawn(variation.repetition, repetitions) + drawn(
        variation.strategy_by_repetition, strategies, repetitions
    )
    of_repetition = of_repetition + np.asarray(log_odds, dtype=np.float32)[:, None]
    probability = expit(of_repetition[:, :, None] + of_image[:, None, :])
    return random.random(probability.shape, dtype=np.float32) < probability


def expected_accuracy(log_odds: float, variation: Variation) -> float:
    """Accuracy of a strategy over all repetitions and images: ``E[sigmoid(log_odds + N(0, total^2))]``.

    By Gauss-Hermite quadrature (Abramowitz and Stegun 1964, 25.4.46).
    """
    from scipy.special import expit

    nodes, weights = _normal()
    return float(weights @ expit(log_odds + variation.total * nodes))


def log_odds_for(accuracy: float, variation: Variation) -> float:
    """The ``log_odds`` that give an expected accuracy, which must lie in (0, 1).

    Raises:
        ValueError: it does not.
    """
    from scipy.optimize import brentq

    if not 0 < accuracy < 1:
        raise ValueError(f"no log-odds give an expected accuracy of {accuracy}: it must lie between 0 and 1")
    bound = 50 * (1 + variation.total)
    return float(brentq(lambda log_odds: expected_accuracy(log_odds, variation) - accuracy, -bound, bound, xtol=1e-10))


@cache
def _normal() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for a mean over the standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()
