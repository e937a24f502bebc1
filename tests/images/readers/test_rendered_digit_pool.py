import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.readers.rendered_digit_pool import RenderedDigitPool
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits

TARGET = RenderedDigits(val_per_class=2, reservoir_per_class=4, test_per_class=2)


def test_the_pool_has_digits_distractors_and_leaks_in_their_shares(pool):
    kinds = [each.split("/")[0] for each in pool.column("image_id")]
    assert len(pool) == 150
    assert kinds.count("shapes") == 21  # 0.14 x 150
    assert kinds.count("leak") == 10
    assert kinds.count("digits") == 150 - 21 - 10


def test_every_image_has_a_caption_and_none_a_label(pool):
    assert all(pool.column("caption"))
    assert set(pool.column("label")) == {None}
    unknown = [label is None for label in pool.column("true_label")]
    assert sum(unknown) == 21  # circles, squares and empty pages show no class


def test_the_targets_digits_stay_out_of_the_pool(pool):
    positions = [int(each.split("/")[1]) for each in pool.column("image_id") if each.startswith("digits/")]
    assert max(positions) < 750


def test_a_leak_copies_the_test_image_that_it_names(pool, target):
    originals = dict(zip(target.test.column("image_id"), target.test.pixels(), strict=True))
    leaks = [row for row in pool.table.to_pylist() if row["leak_of"]]
    assert len({row["leak_of"] for row in leaks}) == 10
    pixels = dict(zip(pool.column("image_id"), pool.pixels(), strict=True))
    for row in leaks:
        copy, original = pixels[row["image_id"]].astype(float), originals[row["leak_of"]].astype(float)
        assert np.abs(copy - original).mean() < 40  # moved, lit otherwise, coded anew
        assert not np.array_equal(copy, original)


def test_rows_are_in_random_order(pool):
    kinds = [each.split("/")[0] for each in pool.column("image_id")]
    assert len(set(kinds[:50])) == 3


def test_the_parameters_decide_every_pixel_and_caption(pool):
    again = RenderedDigitPool(images=150, planted_leaks=10, target=TARGET).read()
    assert again.table.equals(pool.table)


def test_a_digit_drawn_twice_has_two_looks():
    few = RenderedDigits(first_digit=20)
    pool = RenderedDigitPool(images=50, distractor_share=0.2, planted_leaks=0, target=few).read()
    digits = [row for row in pool.table.to_pylist() if row["true_label"] is not None]
    assert len({row["source"] for row in digits}) == 20  # forty pictures: each of twenty digits twice
    assert len({row["content_hash"] for row in digits}) == 40


def test_a_pool_may_have_no_distractors():
    pool = RenderedDigitPool(images=40, distractor_share=0, planted_leaks=0, target=TARGET).read()
    assert len(pool) == 40
    assert None not in pool.column("true_label")


@pytest.mark.parametrize("numbers", [{"images": 5}, {"images": -5}, {"images": 50, "distractor_share": 1.5}])
def test_numbers_that_do_not_add_up_are_refused(numbers):
    with pytest.raises((UserError, ValueError), match=r"images|distractor_share"):
        RenderedDigitPool(planted_leaks=10, target=TARGET, **numbers).read()
