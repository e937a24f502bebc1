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
