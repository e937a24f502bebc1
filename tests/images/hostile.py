"""A training set whose class names, ids and captions were written by an enemy."""

from __future__ import annotations

import numpy as np

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.training_set import TrainingSet

CLASSES = ("../up", "=cmd|' /C calc'!A1", "dog", "DOG", "")
CAPTIONS = ("=1+1", "-2+3", "@x", "+x", 'a\r\nb,"c"\0\u202e\'', "NA", "'quoted", None, "<script>", "x" * 200_000)
BIG = 80  # pixels a side: beyond 64 x 64 the codec writes JPEG


def hostile_set(shuffle_seed: int = 0) -> TrainingSet:
    """Two originals of each of five classes, and one added image of each."""
    random = np.random.default_rng(0)

    def row(number: int, label: int, size: int, **columns):
        pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
        return image_row(pixels, f"../../{number}\0", label=label, source=f"=http://x/{number}", **columns)

    originals = [row(number, number // 2, 8, caption=caption) for number, caption in enumerate(CAPTIONS)]
    made = {"prompt": "=a prompt", "seed": 2**63 - 1, "checkpoint": "@sd", "similarity": -0.5, "parent": "-1"}
    added = [row(10 + label, label, BIG, **made) for label in range(5)]
    return TrainingSet(CLASSES, ImageTable.from_rows(originals), ImageTable.from_rows(added), shuffle_seed)
