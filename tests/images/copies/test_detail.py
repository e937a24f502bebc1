import numpy as np
import pytest

from retrieval_vs_diffusion.images.copies.detail import Detail


def wave(pixels: float, height: float = 40) -> np.ndarray:
    """Stripes that repeat after so many pixels."""
    return np.tile((128 + height * np.sin(2 * np.pi * np.arange(32) / pixels)).astype(np.float32), (1, 32, 1))


def strength(pictures: np.ndarray, side: int = 32) -> float:
    return float(Detail(side)(pictures)[:, :, 8:24].std())


def test_slow_changes_of_light_are_no_detail():
    assert strength(wave(200)) < 0.1 * strength(wave(8))
    assert strength(wave(1e9)) == pytest.approx(0, abs=1e-3)


def test_weak_detail_counts_nearly_as_strong():
    assert 0.75 < strength(wave(8, 30)) / strength(wave(8, 90)) < 1  # a third of the height


def test_of_small_images_larger_detail_is_compared():
    assert strength(wave(4), 16) < 0.5 * strength(wave(4))
    assert strength(wave(16), 16) > strength(wave(16))
    assert strength(wave(8), 500) == strength(wave(8), 32)
