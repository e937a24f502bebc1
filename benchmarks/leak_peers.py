"""Methods that the leak screening is compared with: all score a picture against every protected one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from scipy.fft import dctn

from retrieval_vs_diffusion.images.copies.copy_index import CopyIndex
from retrieval_vs_diffusion.images.copies.descriptors import STARTS, describe, describe_windows, windows_at
from retrieval_vs_diffusion.images.copies.pictures import SIDE, grey_picture, short_side
from retrieval_vs_diffusion.images.copies.windows import cut
from retrieval_vs_diffusion.images.near_duplicates import NearDuplicates, thumbnail
from retrieval_vs_diffusion.images.square import square

Pixels = Sequence[np.ndarray]
Score = Callable[[Pixels], np.ndarray]
_AT_ONCE = 256


def registered(protected: Pixels) -> Score:
    """What the screening does: candidates from an index, then registration."""
    side = int(np.median([short_side(each) for each in protected]))
    index = CopyIndex(np.stack([grey_picture(each) for each in protected]), side)
    return lambda images: index.nearest(images)[0]


def thumbnails(protected: Pixels) -> Score:
    """What it did before: correlation of 16-pixel thumbnails over shifts of a pixel."""
    near = NearDuplicates(np.stack([thumbnail(each) for each in protected]))

    def score(images: Pixels) -> np.ndarray:
        parts = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
        return np.concatenate([near.nearest(part)[0] for part in parts])

    return score


def descriptors(protected: Pixels) -> Score:
    """The first stage alone: cosine of low frequencies, five windows and the mirror image."""
    return _best_cosine(describe_windows(_greys(protected)), describe)


def pixel_correlation(protected: Pixels) -> Score:
    """Correlation of 16x16 grey pictures, with five windows of each protected one and the mirror image."""
    greys = _greys(protected)
    windows = [cut(greys, windows_at(np.full(len(greys), start)))[0] for start in range(len(STARTS))]
    return _best_cosine(np.concatenate([_halved(each) for each in windows]), _halved)


def perceptual_hash(protected: Pixels) -> Score:
    """pHash: signs of 8x8 low frequencies of a 32-pixel picture, against their median; share of equal bits."""

    def bits(greys: np.ndarray) -> np.ndarray:
        low = dctn(greys, axes=(1, 2))[:, :8, :8].reshape(len(greys), -1)
        return np.where(low > np.median(low, axis=1, keepdims=True), 1, -1).astype(np.float32) / 8

    return _best_cosine(bits(_greys(protected)), bits)


def difference_hash(protected: Pixels) -> Score:
    """dHash: whether each of 8x8 pixels is darker than its right neighbour; share of equal bits."""

    def bits(greys: np.ndarray) -> np.ndarray:
        small = np.stack([np.asarray(Image.fromarray(each).resize((9, 8), Image.Resampling.BOX)) for each in greys])
        return np.where(small[:, :, 1:] > small[:, :, :-1], 1, -1).reshape(len(greys), -1).astype(np.float32) / 8

    return _best_cosine(bits(_greys(protected)), bits)


def clip(folder: str) -> Callable[[Pixels], Score]:
    """Cosine of embeddings by the CLIP model in a folder, with the mirror image."""
    import torch

    from retrieval_vs_diffusion.models.clip import load_clip

    torch.set_num_threads(1)
    model = load_clip(folder)

    def embed(images: Pixels) -> np.ndarray:
        return model.embed_images(np.stack([square(image, 16) for image in images]))

    def method(protected: Pixels) -> Score:
        known = embed(protected)

        def score(images: Pixels) -> np.ndarray:
            both = [embed(each) @ known.T for each in (images, [image[:, ::-1] for image in images])]
            return np.maximum(both[0].max(axis=1), both[1].max(axis=1))

        return score

    return method


METHODS: dict[str, Callable[[Pixels], Score]] = {
    "registration (chosen)": registered,
    "thumbnails (before)": thumbnails,
    "pHash": perceptual_hash,
    "dHash": difference_hash,
    "pixels, 10 views": pixel_correlation,
    "low frequencies, 10 views": descriptors,
}


def _best_cosine(known: np.ndarray, describe_them: Callable[[np.ndarray], np.ndarray]) -> Score:
    """The largest cosine of an image, or of its mirror image, with what is known."""

    def score(images: Pixels) -> np.ndarray:
        best = []
        for start in range(0, len(images), _AT_ONCE):
            greys = _greys(images[start : start + _AT_ONCE])
            both = [describe_them(each) @ known.T for each in (greys, np.ascontiguousarray(greys[:, :, ::-1]))]
            best.append(np.maximum(both[0].max(axis=1), both[1].max(axis=1)))
        return np.concatenate(best)

    return score


def _greys(images: Pixels) -> np.ndarray:
    return np.stack([grey_picture(each) for each in images]).astype(np.float32)


def _halved(greys: np.ndarray) -> np.ndarray:
    """16x16 pixels as unit vectors without their mean."""
    half = greys.reshape(len(greys), SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4)).reshape(len(greys), -1)
    half = half - half.mean(axis=1, keepdims=True)
    return half / np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-3)
