from collections import Counter
from itertools import islice

import pytest
import torch

from retrieval_vs_diffusion.training.mixing import MixedBatches, Shuffled


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches(number: int, seed: int = 0, **arguments) -> list[list[int]]:
    settings = {"originals": 10, "added": 30, "batch_size": 8, "added_share": 0.5, "mix": "share", **arguments}
    return [batch.tolist() for batch in islice(MixedBatches(**settings, generator=generator(seed)), number)]


def test_each_position_comes_once_before_any_comes_twice():
    drawn = list(islice(Shuffled(5, generator()), 15))
    for round_ in (drawn[:5], drawn[5:10], drawn[10:]):
        assert sorted(round_) == [0, 1, 2, 3, 4]
    assert drawn[:5] != drawn[5:10]


@pytest.mark.parametrize(("share", "added"), [(0.5, 4), (0.25, 2), (0.75, 6), (0.3, 2)])  # round(8 x 0.3) = 2
def test_a_fixed_share_of_each_batch_is_added_images(share, added):
    for batch in batches(6, added_share=share):
        assert len(batch) == 8
        assert sum(position >= 10 for position in batch) == added  # added images are numbered from 10


def test_the_share_does_not_depend_on_how_many_images_are_added():
    for added in (1, 30, 1000):
        assert [sum(position >= 10 for position in batch) for batch in batches(3, added=added)] == [4, 4, 4]


def test_originals_and_added_images_take_their_turns_each_among_themselves():
    counts = Counter(position for batch in batches(15) for position in batch)
    assert {counts[position] for position in range(10)} == {6}  # 15 x 4 places for 10 originals
    assert {counts[position] for position in range(10, 40)} == {2}  # 15 x 4 places for 30 added images


def test_a_union_draws_from_both_alike():
    counts = Counter(position for batch in batches(5, mix="union") for position in batch)
    assert counts == dict.fromkeys(range(40), 1)  # 5 x 8 places for 40 images


def test_without_added_images_a_batch_is_all_originals():
    for mix in ("share", "union"):
        assert set(batches(1, added=0, batch_size=10, mix=mix)[0]) == set(range(10))


def test_the_generator_decides_the_order():
    assert batches(3) == batches(3)
    assert batches(3) != batches(3, seed=1)
