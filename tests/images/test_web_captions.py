import numpy as np
import pytest

from retrieval_vs_diffusion.images import web_captions

NAMES = ("zero", "one", "two", "three")
DRAWS = 4000


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Captions of pictures that all show a two, in red on white."""
    random = np.random.default_rng(0)
    return [web_captions.of_digit(NAMES, 2, "red", "white", random) for _ in range(DRAWS)]


def share(captions: list[str], is_one) -> float:
    return sum(map(is_one, captions)) / len(captions)


def names_in(caption: str) -> list[str]:
    return [name for name in NAMES if name in caption.split()]


def test_most_captions_name_what_is_shown(captions):
    # 1 - 0.05 junk - 0.10 generic - 0.05 wrong = 0.80; three deviations of 4,000 draws are 0.02
    assert share(captions, lambda caption: names_in(caption) == ["two"]) == pytest.approx(0.80, abs=0.02)


def test_one_in_twenty_names_another_class(captions):
    wrong = [caption for caption in captions if names_in(caption) and "two" not in caption.split()]
    assert len(wrong) / DRAWS == pytest.approx(web_captions.WRONG_CLASS_SHARE, abs=0.012)
    assert {names_in(caption)[0] for caption in wrong} == {"zero", "one", "three"}


def test_the_rest_says_nothing_of_a_class(captions):
    empty = web_captions.JUNK_SHARE + web_captions.GENERIC_SHARE
    assert share(captions, lambda caption: not names_in(caption)) == pytest.approx(empty, abs=0.018)


def test_colours_are_those_of_the_picture(captions):
    assert share(captions, lambda caption: "red" in caption) > 0.2  # three of eight templates name the ink
    assert share(captions, lambda caption: "blue" in caption) == 0
    assert not [caption for caption in captions if "{" in caption]


def test_shapes_are_never_captioned_as_a_digit():
    random = np.random.default_rng(0)
    captions = [web_captions.of_shape(shape, "red", "white", random) for shape in ("circle", "square", "blank") * 300]
    assert not [caption for caption in captions if names_in(caption)]
    assert share(captions, lambda caption: "circle" in caption) > 0.1


def test_the_generator_decides_the_caption():
    first, second = (web_captions.of_digit(NAMES, 1, "red", "white", np.random.default_rng(3)) for _ in range(2))
    assert first == second
