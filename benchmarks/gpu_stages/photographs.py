"""JPEGs that are as hard to decode as photographs: pieces of the two that come with scikit-learn."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

LOOKS = 4  # two photographs, each upright and upside down


def jpegs(n: int, side: int, seed: int = 0) -> list[tuple[bytes, int]]:
    """Square JPEGs of quality 90, and which of the ``LOOKS`` each has.

    Args:
        n: how many; no two are alike.
        side: pixels.
        seed: decides which pieces.
    """
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(each) for each in load_sample_images().images]

    def make(number: int) -> tuple[bytes, int]:
        random = np.random.default_rng((seed, number))
        look = number % LOOKS
        photograph = photographs[look // 2]
        part = random.uniform(0.4, 1) * min(photograph.size)
        left, top = (random.uniform(0, whole - part) for whole in photograph.size)
        box = (left, top, left + part, top + part)
        piece = photograph.resize((side, side), Image.Resampling.BICUBIC, box)
        if look % 2:
            piece = piece.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        pixels = np.asarray(piece) * random.uniform(0.8, 1.2, 3) + random.normal(0, 4, (side, side, 1))
        buffer = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        return buffer.getvalue(), look

    with ThreadPoolExecutor() as threads:
        return list(threads.map(make, range(n)))
