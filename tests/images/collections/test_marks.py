import math

import pytest

from retrieval_vs_diffusion.images.collections.marks import Marks, probability


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(0.5, 0.5), (1, 1.0), (True, 1.0), (False, 0.0), (None, None), (math.nan, None), (10**400, math.inf)],
        *[("0.99", 0.99), (" 1e-3 ", 0.001), (b"0.99", 0.99), ("NSFW", 1.0), ("nsfw", 1.0), ("True", 1.0)],
        *[("", None), (" nan ", None), ("None", None), ("N/A", None)],
    ],
)
def test_what_says_a_probability(value, expected):
    assert probability(value) == expected


@pytest.mark.parametrize("value", ["UNLIKELY", "very", [0.9], {"p": 0.9}])
def test_what_says_none_is_told(value):
    with pytest.raises(ValueError, match=r"."):
        probability(value)


def test_names_are_known_however_capitalised_and_the_most_counts():
    marks = Marks.found_in(["NSFW", "PUnsafe", "caption", "pWATERMARK"])
    assert marks == Marks(("NSFW", "PUnsafe"), ("pWATERMARK",))
    told = []
    row = {"NSFW": "NSFW", "PUnsafe": 0.1, "pWATERMARK": "0.4"}
    assert marks.probabilities(row, lambda *each: told.append(each)) == (1.0, 0.4)
    row = {"NSFW": "UNSURE", "PUnsafe": "often", "pWATERMARK": None}
    assert marks.probabilities(row, lambda *each: told.append(each)) == (None, None)
    assert told == [("PUnsafe", "often")]
    assert Marks.found_in([]).probabilities({}, lambda *each: told.append(each)) == (None, None)
