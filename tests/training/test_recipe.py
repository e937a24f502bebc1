import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.training.recipe import ClassifierTraining


def test_the_recipe_keeps_to_what_is_written():
    recipe = ClassifierTraining(model="resnet18", steps=20, added_share=0.25)
    assert (recipe.model, recipe.steps, recipe.added_share) == ("resnet18", 20, 0.25)
    assert recipe.init == "scratch"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", 0),
        ("batch_size", 1),  # batch normalisation needs two
        ("learning_rate", 0),
        ("added_share", 1),  # originals are always trained on
        ("smallest_crop_area", 0),
        ("label_smoothing", 1),
        ("validation_looks", 0),
        ("image_size", 4),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_name(key, value):
    with pytest.raises(ValidationError, match=key):
        ClassifierTraining(**{key: value})


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="epochs"):
        ClassifierTraining(epochs=3)
