import numpy as np
import pytest

from retrieval_vs_diffusion.images.copies.detail import Detail
from retrieval_vs_diffusion.images.copies.pictures import grey_picture
from retrieval_vs_diffusion.images.copies.registration import agreement, register
from retrieval_vs_diffusion.images.copies.windows import Windows, cut
from tests.images.copies.photographs import photograph

PICTURES = np.stack([grey_picture(photograph(seed)) for seed in range(12)]).astype(np.float32)
EVERYWHERE = np.ones_like(PICTURES, dtype=bool)


def windows(*numbers: float) -> Windows:
    return Windows(*(np.full(len(PICTURES), each, np.float32) for each in numbers))


WHOLE = windows(0.5, 1, 0.5, 1)


@pytest.mark.parametrize("light", [(1, 0), (0.6, 50)])
@pytest.mark.parametrize("true", [(0.5, 1, 0.5, 1), (0.53, 0.94, 0.47, 0.92), (0.48, 1.05, 0.52, 0.95)])
def test_the_window_that_a_picture_was_cut_from_is_found(true, light):
    gain, offset = light
    seen, _ = cut(PICTURES, windows(*true))
    found = register(gain * seen + offset, PICTURES, register(gain * seen + offset, PICTURES, WHOLE))
    for each, number in zip(found, true, strict=True):
        assert np.median(np.abs(each - number)) < 0.01  # a third of a pixel
        assert np.abs(each - number).max() < 0.05


def test_it_stays_within_what_a_crop_can_be():
    found = WHOLE
    for _ in range(5):
        found = register(PICTURES, PICTURES[::-1].copy(), found)  # of other pictures
    assert all((size >= 0.8).all() and (size <= 1.25).all() for size in (found.size_y, found.size_x))
    assert all((middle >= 0.35).all() and (middle <= 0.65).all() for middle in (found.middle_y, found.middle_x))


def test_agreement_is_a_correlation():
    detail = Detail()(PICTURES)
    assert agreement(detail, detail, EVERYWHERE) == pytest.approx(1, abs=1e-4)
    assert agreement(detail, -detail, EVERYWHERE) == pytest.approx(-1, abs=1e-4)
    by_hand = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(detail, detail[::-1], strict=True)]
    assert agreement(detail, detail[::-1], EVERYWHERE) == pytest.approx(by_hand, abs=1e-4)


def test_only_what_both_show_counts():
    detail = Detail()(PICTURES)
    other = detail.copy()
    other[:, :, 20:] = 0
    left = EVERYWHERE.copy()
    left[:, :, 20:] = False
    assert agreement(detail, other, left) == pytest.approx(1, abs=1e-4)
    assert (agreement(detail, other, EVERYWHERE) < 0.95).all()
    assert agreement(detail, other, ~EVERYWHERE) == pytest.approx(0)  # nothing of both


def test_hardly_any_detail_does_not_agree():
    faint = np.random.default_rng(0).normal(0, 0.01, PICTURES.shape).astype(np.float32)
    assert agreement(faint, faint, EVERYWHERE) == pytest.approx(0.01, abs=0.002)  # (0.01 / 0.1) squared
