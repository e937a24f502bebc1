import numpy as np
import pytest

from retrieval_vs_diffusion.images.digit_drawing import CLASS_NAMES, Look, draw, finish, load_digit_images


def look(n: int = 1, **changes) -> Look:
    """Black ink on white paper, upright, whole, without blur, light or noise."""
    plain = {
        **{"rotation": np.zeros(n), "shear": np.zeros(n), "scale": np.ones(n), "shift": np.zeros((n, 2))},
        **{"threshold": np.full(n, 0.5), "ink": np.zeros((n, 3)), "background": np.ones((n, 3))},
        **{"contrast": np.ones(n), "blur": np.zeros(n), "gradient": np.zeros((n, 2)), "noise": 0.0},
    }
    return Look(**{**plain, **changes})


def drawn(look: Look, digit: int = 0, seed: int = 0) -> np.ndarray:
    """One digit's grey levels [16, 16], as floats."""
    digits, _ = load_digit_images()
    return draw(digits[digit : digit + 1], look, np.random.default_rng(seed))[0, ..., 0].astype(float)


def centre_of_ink(picture: np.ndarray) -> tuple[float, float]:
    """Where the ink is, (x, y) in pixels."""
    ink = np.clip(250 - picture, 0, None)  # strokes fade softly: paper is not quite white
    axis = np.arange(16)
    return float((ink.sum(0) * axis).sum() / ink.sum()), float((ink.sum(1) * axis).sum() / ink.sum())


def test_the_digits_are_scikit_learns_in_file_order():
    digits, labels = load_digit_images()
    assert digits.shape == (1797, 8, 8)
    assert (digits.min(), digits.max()) == (0.0, 1.0)
    assert [CLASS_NAMES[label] for label in labels[:3]] == ["zero", "one", "two"]


def test_a_zero_is_a_ring():
    picture = drawn(look())
    assert picture[0, 0] > 240  # paper in the corner
    assert picture[8, 8] > 200  # and in the hole
    assert picture.min() < 40  # ink between them


def test_a_shift_is_measured_in_halves_of_the_picture():
    half = np.full(1, 0.5)
    before = centre_of_ink(drawn(look(scale=half)))
    after = centre_of_ink(drawn(look(scale=half, shift=np.array([[0.25, -0.25]]))))
    assert after[0] - before[0] == pytest.approx(2.0, abs=0.2)  # a quarter of 8 pixels to the right
    assert after[1] - before[1] == pytest.approx(-2.0, abs=0.2)  # and as much up


def test_half_the_scale_takes_a_quarter_of_the_ink():
    whole, half = ((255 - drawn(look(scale=np.full(1, scale)))).sum() for scale in (1.0, 0.5))
    assert half / whole == pytest.approx(0.25, abs=0.04)


def test_half_a_turn_turns_the_picture_upside_down():
    turned = drawn(look(rotation=np.full(1, 180.0)), digit=4)
    assert np.abs(turned - drawn(look(), digit=4)[::-1, ::-1]).max() <= 1


def test_without_contrast_nothing_is_seen():
    assert (drawn(look(contrast=np.zeros(1))) == 255).all()


def test_light_falls_from_one_side():
    grey = np.full((1, 16, 16, 3), 0.5)
    lit = finish(grey, look(gradient=np.array([[0.2, 0.0]])), np.random.default_rng(0))[0, ..., 0].astype(int)
    assert (lit[:, -1] - lit[:, 0]).tolist() == [102] * 16  # (0.5 + 0.2) - (0.5 - 0.2) = 0.4 of 255
    assert (lit[0] == lit[-1]).all()


def test_blur_spreads_a_point_by_the_binomial_weights():
    point = np.zeros((1, 16, 16, 3))
    point[0, 8, 8] = 1
    blurred = finish(point, look(blur=np.ones(1)), np.random.default_rng(0))[0, ..., 0]
    assert blurred[8, 8] == round(255 * 6 / 16 * 6 / 16)
    assert blurred[8, 9] == round(255 * 6 / 16 * 4 / 16)
    assert blurred[8, 11] == 0  # five taps reach two pixels


def test_noise_has_the_deviation_asked_for_and_follows_the_seed():
    grey = np.full((1, 16, 16, 3), 0.5)
    noisy = [finish(grey, look(noise=0.1), np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert noisy[0].std() == pytest.approx(25.5, rel=0.1)  # a tenth of 255
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
