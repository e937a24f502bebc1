from collections import Counter

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits


def test_each_class_has_the_number_asked_for_in_each_part(target):
    for part, number in ((target.val, 2), (target.reservoir, 4), (target.test, 2)):
        assert Counter(part.column("label")) == dict.fromkeys(range(10), number)
        assert part.column("label") == part.column("true_label")


def test_no_digit_is_in_two_parts_and_none_belongs_to_the_pool(target):
    ids = [each for part in (target.val, target.reservoir, target.test) for each in part.column("image_id")]
    assert len(set(ids)) == 80  # 10 classes x (2 + 4 + 2)
    assert min(int(each.split("/")[1]) for each in ids) >= 750


def test_images_are_small_pale_and_differ(target):
    pixels = target.reservoir.pixels()
    assert pixels.shape == (40, 16, 16, 3)
    assert pixels.mean() > 160  # pale ink on white paper
    assert len(set(target.reservoir.column("content_hash"))) == 40


def test_the_parameters_decide_every_pixel(target):
    again = RenderedDigits(val_per_class=2, reservoir_per_class=4, test_per_class=2).read()
    assert again.test.table.equals(target.test.table)


def test_another_seed_is_another_split_with_other_looks(target):
    other = RenderedDigits(val_per_class=2, reservoir_per_class=4, test_per_class=2, seed=1).read()
    assert other.test.column("source") != target.test.column("source")
    assert not np.array_equal(other.test.pixels(), target.test.pixels())


def test_without_a_limit_the_test_part_has_all_that_remain(target):
    everything = RenderedDigits(val_per_class=2, reservoir_per_class=4).read()
    assert len(everything.test) == 1797 - 750 - 10 * (2 + 4)
    assert set(target.test.column("image_id")) < set(everything.test.column("image_id"))


def test_numbers_that_leave_nothing_for_test_are_refused():
    with pytest.raises(UserError, match=r'class "zero" has \d+ digits from position 1700 on, but .* = 55'):
        RenderedDigits(first_digit=1700).read()
