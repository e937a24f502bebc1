"""Natural pictures for measurements: cuttings of the two photographs that come with scikit-learn."""

from __future__ import annotations

import numpy as np

_DETAIL = 12.0  # grey levels of standard deviation: less is sky or blurred ground, which any copy search lets through


def cuttings(side: int, number: int, seed: int = 0) -> list[np.ndarray]:
    """Different square pictures in a drawn order.

    Cells that do not overlap, in the four quarter turns: no picture shows what another does, and a turned one is no
    copy.

    Args:
        side: of each in pixels.
        number: how many.
        seed: of the order.

    Raises:
        ValueError: if the photographs do not give so many.
    """
    from sklearn.datasets import load_sample_images

    cells = [
        photograph[y : y + side, x : x + side]
        for photograph in load_sample_images().images
        for y in range(0, photograph.shape[0] - side + 1, side)
        for x in range(0, photograph.shape[1] - side + 1, side)
    ]
    cells = [cell for cell in cells if cell.mean(axis=2).std() >= _DETAIL]
    turned = [np.ascontiguousarray(np.rot90(cell, turns)) for turns in range(4) for cell in cells]
    if number > len(turned):
        raise ValueError(f"asked for {number} cuttings of {side} pixels; the photographs give {len(turned)}")
    return [turned[each] for each in np.random.default_rng(seed).permutation(len(turned))[:number]]
