import pytest

from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.strategies.reuse.held_back import HeldBack
from retrieval_vs_diffusion.strategies.source import Surroundings


@pytest.fixture
def surroundings(target) -> Surroundings:
    """Two of four images a class are trained on, so two are held back."""
    held_back = SubsetDraw(0).held_back(target.reservoir, target.class_names, [2] * 10)
    return Surroundings(target.class_names, "more_real", ("toy",), {"held_back": held_back})


def ids(wanted: dict[int, int], first: dict[int, int], surroundings: Surroundings) -> list[str]:
    return [row["image_id"] for row in HeldBack().propose(wanted, first, surroundings)]


def test_the_first_images_of_each_class_are_brought_with_their_labels(surroundings):
    rows = list(HeldBack().propose({3: 2, 7: 1}, {3: 0, 7: 0}, surroundings))
    assert [row["label"] for row in rows] == [3, 3, 7]
    assert all(row["label"] == row["true_label"] for row in rows)


def test_asking_in_two_goes_brings_the_same_images(surroundings):
    at_once = ids({3: 2}, {3: 0}, surroundings)
    assert ids({3: 1}, {3: 0}, surroundings) + ids({3: 1}, {3: 1}, surroundings) == at_once


def test_a_class_with_no_more_images_brings_fewer(surroundings):
    assert len(ids({3: 5}, {3: 0}, surroundings)) == 2
    assert ids({3: 5}, {3: 2}, surroundings) == []
