import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.target import SubsetDraw, count_originals, times_originals


def test_a_draw_splits_the_reservoir_into_originals_and_the_rest(target):
    draw = SubsetDraw(seed=1)
    train = draw.train(target.reservoir, target.class_names, [3] * 10)
    held_back = draw.held_back(target.reservoir, target.class_names, [3] * 10)
    assert (len(train), len(held_back)) == (30, 10)  # of 4 images in each of 10 classes, 3 and 1
    ids = train.column("image_id") + held_back.column("image_id")
    assert sorted(ids) == sorted(target.reservoir.column("image_id"))


def test_every_class_has_its_number_and_classes_come_in_order(target):
    train = SubsetDraw(1).train(target.reservoir, target.class_names, [2] * 10)
    assert train.labels().tolist() == [label for label in range(10) for _ in range(2)]


def test_the_seed_decides_the_draw(target):
    drawn = [
        SubsetDraw(seed).train(target.reservoir, target.class_names, [2] * 10).column("image_id") for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_larger_draw_holds_the_smaller_one(target):
    two, three = (
        SubsetDraw(5).train(target.reservoir, target.class_names, [k] * 10).column("image_id") for k in (2, 3)
    )
    assert set(two) < set(three)  # so a size curve adds images and changes none


def test_every_class_may_have_a_number_of_its_own(target):
    counts = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    draw = SubsetDraw(seed=1)
    train, rest = (part(target.reservoir, target.class_names, counts) for part in (draw.train, draw.held_back))
    assert np.bincount(train.labels(), minlength=10).tolist() == counts
    assert np.bincount(rest.labels(), minlength=10).tolist() == [4 - count for count in counts]
    assert train.labels().tolist() == sorted(train.labels())
    # The draw of one class does not hang on how many of another are taken.
    same = draw.train(target.reservoir, target.class_names, [2] * 10)
    assert {*train.take(np.flatnonzero(train.labels() == 2)).column("image_id")} < {*same.column("image_id")}


# ---- how many images a class are trained on


def labels_of(*counts: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize(
    ("per_class", "counts"),
    [
        (3, [3, 3, 3]),
        (1, [1, 1, 1]),
        (0.5, [2, 5, 50]),  # of 4, 10 and 100
        (0.1, [1, 1, 10]),  # at least one: 0.4 images are none
        (0.66, [3, 7, 66]),  # 2.64 and 6.6
        ("all", [4, 10, 100]),
    ],
)
def test_originals_are_a_number_or_a_share_of_each_class_or_all(per_class, counts):
    assert count_originals(labels_of(4, 10, 100), ("a", "b", "c"), per_class) == counts


@pytest.mark.parametrize("per_class", [1, 0.5, "all"])
def test_a_class_without_images_is_named(per_class):
    with pytest.raises(UserError, match='target: class "b" has no image to train on; add some, or take the class out'):
        count_originals(labels_of(4, 0, 3), ("a", "b", "c"), per_class)
    with pytest.raises(UserError, match='class "c" has no image'):  # also where no image has a label so high
        count_originals(labels_of(4, 5), ("a", "b", "c"), per_class)


@pytest.mark.parametrize(("counts", "per_class"), [((9, 4), 4), ((9, 4), 5), ((9, 1), 0.5), ((9, 2), 0.9)])
def test_a_class_of_which_none_could_be_held_back_is_named(counts, per_class):
    with pytest.raises(UserError) as caught:
        count_originals(labels_of(*counts), ("a", "b"), per_class)
    told = str(caught.value)
    assert told.startswith(
        f'target: class "b" has {counts[1]} images in the reservoir, but target.per_class={per_class}'
    )
    assert told.endswith("lower it (a share such as 0.5 will do), add images, or give `all`")


def test_all_leaves_none_held_back_and_a_class_of_one_image_will_do(target):
    counts = count_originals(target.reservoir.labels(), target.class_names, "all")
    assert counts == [4] * 10
    assert len(SubsetDraw(0).held_back(target.reservoir, target.class_names, counts)) == 0
    assert count_originals(labels_of(1, 2), ("a", "b"), "all") == [1, 2]


@pytest.mark.parametrize(
    ("times", "expected"), [(1, [1, 4, 10]), (3, [3, 12, 30]), (0.5, [1, 2, 5]), (0.05, [1, 1, 1]), (1.5, [2, 6, 15])]
)
def test_so_many_times_the_originals_is_a_number_of_each_class(times, expected):
    assert times_originals([1, 4, 10], times) == expected


def ids(target, times: float, per_class: int = 2, seed: int = 1) -> list[str]:
    return SubsetDraw(seed).first(target.reservoir, target.class_names, [per_class] * 10, times).column("image_id")


def test_so_many_times_the_originals_are_the_first_images_of_a_longer_draw(target):
    originals = SubsetDraw(1).train(target.reservoir, target.class_names, [2] * 10).column("image_id")
    assert ids(target, 1) == originals
    half, more = ids(target, 0.5), ids(target, 1.5)
    assert (len(half), len(more)) == (10, 30)  # 0.5 x 2 and 1.5 x 2 of each of ten classes
    assert half == originals[::2]  # the first of each class's two
    assert [each for n, each in enumerate(more) if n % 3 < 2] == originals  # a curve adds images and changes none
    held_back = SubsetDraw(1).held_back(target.reservoir, target.class_names, [2] * 10).column("image_id")
    assert more[2::3] == held_back[::2]  # and the new ones come from what is held back, in its order


def test_classes_come_in_order_whatever_their_number(target):
    drawn = SubsetDraw(1).first(target.reservoir, target.class_names, [2] * 10, 1.5)
    assert drawn.labels().tolist() == [label for label in range(10) for _ in range(3)]


def test_there_is_at_least_one_image_and_at_most_the_whole_reservoir(target):
    assert len(ids(target, 0.01)) == 10  # one of each class
    assert sorted(ids(target, 9)) == sorted(target.reservoir.column("image_id"))  # 18 of each of the 4
