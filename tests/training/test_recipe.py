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
        ("augmentation", "strong"),
        ("augmentation_magnitude", 31),  # torchvision has 31 magnitudes, from 0
        ("cutmix", 1.5),
        ("cutmix_alpha", 0),
        ("features", "dino"),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_name(key, value):
    with pytest.raises(ValidationError, match=key):
        ClassifierTraining(**{key: value})


def test_overrides_count_where_they_are_set_even_to_the_default():
    world = ClassifierTraining(steps=40, cutmix=0.5, label_smoothing=0.2)
    merged = world.overridden_by(ClassifierTraining(cutmix=0.0, model="resnet18"))  # 0 is the default, too
    assert (merged.steps, merged.label_smoothing) == (40, 0.2)  # the world's
    assert (merged.cutmix, merged.model) == (0.0, "resnet18")  # the strategy's
    assert world.overridden_by(ClassifierTraining()) == world


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="epochs"):
        ClassifierTraining(epochs=3)
