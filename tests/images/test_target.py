import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.target import SubsetDraw


def test_a_draw_splits_the_reservoir_into_originals_and_the_rest(target):
    draw = SubsetDraw(seed=1)
    train = draw.train(target.reservoir, target.class_names, per_class=3)
    held_back = draw.held_back(target.reservoir, target.class_names, per_class=3)
    assert (len(train), len(held_back)) == (30, 10)  # of 4 images in each of 10 classes, 3 and 1
    ids = train.column("image_id") + held_back.column("image_id")
    assert sorted(ids) == sorted(target.reservoir.column("image_id"))


def test_every_class_has_its_number_and_classes_come_in_order(target):
    train = SubsetDraw(1).train(target.reservoir, target.class_names, 2)
    assert train.labels().tolist() == [label for label in range(10) for _ in range(2)]


def test_the_seed_decides_the_draw(target):
    drawn = [SubsetDraw(seed).train(target.reservoir, target.class_names, 2).column("image_id") for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_larger_draw_holds_the_smaller_one(target):
    two, three = (SubsetDraw(5).train(target.reservoir, target.class_names, k).column("image_id") for k in (2, 3))
    assert set(two) < set(three)  # so a size curve adds images and changes none


def test_a_class_with_too_few_images_is_named(target):
    with pytest.raises(UserError, match=r'class "zero" has 4 images in the reservoir, .*train_per_class=4 must leave'):
        SubsetDraw(0).train(target.reservoir, target.class_names, per_class=4)


def ids(target, times: float, per_class: int = 2, seed: int = 1) -> list[str]:
    return SubsetDraw(seed).first(target.reservoir, target.class_names, per_class, times).column("image_id")


def test_so_many_times_the_originals_are_the_first_images_of_a_longer_draw(target):
    originals = SubsetDraw(1).train(target.reservoir, target.class_names, 2).column("image_id")
    assert ids(target, 1) == originals
    half, more = ids(target, 0.5), ids(target, 1.5)
    assert (len(half), len(more)) == (10, 30)  # 0.5 x 2 and 1.5 x 2 of each of ten classes
    assert half == originals[::2]  # the first of each class's two
    assert [each for n, each in enumerate(more) if n % 3 < 2] == originals  # a curve adds images and changes none
    held_back = SubsetDraw(1).held_back(target.reservoir, target.class_names, 2).column("image_id")
    assert more[2::3] == held_back[::2]  # and the new ones come from what is held back, in its order


def test_classes_come_in_order_whatever_their_number(target):
    drawn = SubsetDraw(1).first(target.reservoir, target.class_names, 2, 1.5)
    assert drawn.labels().tolist() == [label for label in range(10) for _ in range(3)]


def test_there_is_at_least_one_image_and_at_most_the_whole_reservoir(target):
    assert len(ids(target, 0.01)) == 10  # one of each class
    assert sorted(ids(target, 9)) == sorted(target.reservoir.column("image_id"))  # 18 of each of the 4
