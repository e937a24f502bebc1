import pytest
import timm
import torch

from retrieval_vs_diffusion.models import small_convnet


@pytest.mark.parametrize(("name", "parameters"), [("small_convnet", 0.14e6), ("small_convnet_wide", 0.3e6)])
def test_timm_finds_it_by_name_with_the_size_that_it_says(name, parameters):
    network = timm.create_model(name, num_classes=10)
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(parameters, rel=0.1)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_images_of_any_small_size_give_logits(size):
    assert timm.create_model("tiny_convnet", num_classes=7)(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_without_a_head_it_gives_features_of_the_width_it_names():
    network = timm.create_model("small_convnet", num_classes=0)
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, network.num_features)


def test_a_new_head_can_be_put_on():
    network = timm.create_model("tiny_convnet", num_classes=3)
    network.reset_classifier(5)
    assert (network.num_classes, network.get_classifier().out_features) == (5, 5)


def test_there_are_no_pretrained_weights_to_ask_for():
    with pytest.raises(ValueError, match="without pretrained weights"):
        small_convnet.small_convnet(pretrained=True)
