import random

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.images.splits import Split


def entries(part: str | None = None, **numbers: int) -> list[Sample]:
    """So many images of each class."""
    return [
        Sample(f"{part}/{label}/{index}", label=label, part=part)
        for label, number in numbers.items()
        for index in range(number)
    ]


def sizes(drawn, label: str) -> dict[str, int]:
    return {part: sum(f"/{label}/" in key for key in keys) for part, keys in drawn.keys.items()}


def test_shares_are_of_each_class():
    drawn = Split(val=0.15, test=0.25).draw(entries(cat=100, dog=20))
    assert sizes(drawn, "cat") == {"train": 60, "val": 15, "test": 25}
    assert sizes(drawn, "dog") == {"train": 12, "val": 3, "test": 5}  # 0.15 x 20, 0.25 x 20
    assert drawn.labels == ("cat", "dog")
    assert sum(map(len, drawn.keys.values())) == len(set.union(*map(set, drawn.keys.values()))) == 120


def test_integers_are_images_a_class():
    drawn = Split(val=2, test=3).draw(entries(cat=100, dog=6))
    assert sizes(drawn, "cat") == {"train": 95, "val": 2, "test": 3}
    assert sizes(drawn, "dog") == {"train": 1, "val": 2, "test": 3}


def test_each_part_has_at_least_one_image_a_class():
    assert sizes(Split(val=0.01, test=0.01).draw(entries(cat=3, dog=9)), "cat") == {"train": 1, "val": 1, "test": 1}


def test_the_order_of_listing_decides_nothing_and_the_seed_does():
    listed = entries(cat=50, dog=50)
    shuffled = random.Random(0).sample(listed, len(listed))
    assert Split().draw(listed) == Split().draw(shuffled)
    assert Split(seed=1).draw(listed).keys["test"] != Split().draw(listed).keys["test"]


def test_more_for_validation_leaves_the_test_images_as_they_are():
    listed = entries(cat=50, dog=50)
    assert Split(val=1).draw(listed).keys["test"] == Split(val=20).draw(listed).keys["test"]


def test_given_parts_are_kept_and_missing_ones_are_drawn_from_train():
    given = entries("train", cat=10, dog=10) + entries("test", cat=3, dog=4)
    drawn = Split(val=0.2, test=5).draw(given)
    assert drawn.keys["test"] == {entry.key for entry in given if entry.part == "test"}
    assert sizes(drawn, "cat") == {"train": 8, "val": 2, "test": 3}
    assert all(key.startswith("train/") for key in drawn.keys["val"])


def test_a_collection_with_all_parts_is_left_as_it_is():
    given = entries("train", a=5, b=5) + entries("val", a=1, b=1) + entries("test", a=2, b=2)
    assert {part: len(keys) for part, keys in Split().draw(given).keys.items()} == {"train": 10, "val": 2, "test": 4}


def test_imagenets_val_serves_as_test_and_its_test_without_labels_as_nothing():
    given = entries("train", a=20, b=20) + entries("val", a=3, b=3) + entries("test", a=9, c=9)
    drawn = Split(val=0.1, given_parts={"test": "val"}).draw(given)
    assert drawn.keys["test"] == {entry.key for entry in given if entry.part == "val"}
    assert all(key.startswith("train/") for key in drawn.keys["val"])
    assert sizes(drawn, "a") == {"train": 18, "val": 2, "test": 3}
    assert drawn.labels == ("a", "b")


def test_parts_can_be_exchanged():
    given = entries("train", a=2, b=2) + entries("val", a=1, b=1) + entries("test", a=3, b=3)
    drawn = Split(given_parts={"test": "val", "val": "test"}).draw(given)
    assert {part: len(keys) for part, keys in drawn.keys.items()} == {"train": 4, "val": 6, "test": 2}


def test_the_reservoir_can_be_limited_and_smaller_ones_are_parts_of_larger_ones():
    listed = entries(a=40, b=10)
    whole, ten, five = (Split(val=2, test=3, reservoir_at_most=most).draw(listed) for most in (None, 10, 5))
    assert sizes(ten, "a")["train"] == 10
    assert sizes(ten, "b")["train"] == 5  # 10 - 2 - 3
    assert five.keys["train"] < ten.keys["train"] < whole.keys["train"]
    assert five.keys["test"] == whole.keys["test"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            entries(cat=9, dog=2),
            r'class "dog" has 2 images from which test 1 and val 1 are .* leaves the part train empty',
        ),
        (
            entries("train", cat=9, dog=9) + entries("test", cat=1),
            r'class "dog" has no image in the part test; add some, .* or take the part away so that it is drawn',
        ),
        (
            entries("train", cat=9) + entries("test", cat=1, dog=1) + entries("val", cat=1, dog=1),
            r'class "dog" has no image in the part train; add some, or leave the class out of the others',
        ),
    ],
)
def test_a_class_that_a_part_would_lack_is_named(given, message):
    with pytest.raises(UserError, match=message):
        Split().draw(given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val": 0}, r"val: found 0; a number of images a class, or a share such as 0.2"),
        ({"test": 1.0}, r"test: found 1.0; a number"),
        ({"test": True}, r"test: found True; a number"),
        ({"reservoir_at_most": 0}, r"reservoir_at_most: found 0; 1 or more, or null for all"),
        ({"given_parts": {"test": "dev"}}, r"given_parts: found test: dev; both are one of train, val, test"),
        ({"given_parts": {"test": "val", "val": "val"}}, r"given_parts: .* uses a part, e.g. val, twice"),
    ],
)
def test_settings_that_make_no_split_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Split(**settings)


@pytest.mark.parametrize(("part", "found"), [("train", "it has train"), (None, "it is not split")])
def test_a_given_part_that_is_not_there_is_named(part, found):
    message = rf"target.reader.given_parts.test: the collection has no part val; {found}"
    with pytest.raises(UserError, match=message):
        Split(given_parts={"test": "val"}).draw(entries(part, a=9, b=9))
