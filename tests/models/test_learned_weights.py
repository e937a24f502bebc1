import copy

import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.learned_weights import (
    check_low_rank_weights,
    check_width,
    load_denoiser,
    merge_low_rank_weights,
)

RANK, WIDTH = 2, 3


@pytest.fixture
def projection(pipeline) -> tuple[str, torch.nn.Linear]:
    """One of the denoiser's attention projections, with its name."""
    return next((name, part) for name, part in pipeline.unet.named_modules() if name.endswith("attn1.to_q"))


def low_rank(name: str, layer: torch.nn.Linear, value: float) -> dict[str, torch.Tensor]:
    """Adapters whose product is ``RANK * value`` everywhere."""
    return {
        f"unet.{name}.lora_A.weight": torch.ones(RANK, layer.in_features),
        f"unet.{name}.lora_B.weight": torch.full((layer.out_features, RANK), value),
    }


def test_a_width_that_fits_passes_and_another_is_told_with_both():
    check_width("a condition has vectors", WIDTH, WIDTH, "tiny")
    with pytest.raises(UserError, match="a condition has vectors of width 3, the text encoder of tiny has 4: learn it"):
        check_width("a condition has vectors", WIDTH, WIDTH + 1, "tiny")


def test_low_rank_weights_add_their_product_and_leave_no_adapter(pipeline, projection):
    name, layer = projection
    before, others = layer.weight.detach().clone(), copy.deepcopy(pipeline.unet.state_dict())
    weights = low_rank(name, layer, 0.25)
    check_low_rank_weights(pipeline, weights, "tiny")
    merge_low_rank_weights(pipeline, weights, "tiny")
    after = pipeline.unet.state_dict()
    assert after.keys() == others.keys()
    assert torch.allclose(after[f"{name}.weight"], before + 0.5, atol=1e-6)  # a rank of 2 times 0.25
    assert all(torch.equal(value, others[key]) for key, value in after.items() if key != f"{name}.weight")


def test_low_rank_weights_of_another_model_are_refused_with_the_first_that_is_strange(pipeline, projection):
    name, layer = projection
    strange = low_rank(f"{name}_of_another", layer, 1.0)
    with pytest.raises(UserError, match=f"these LoRA weights do not fit tiny: learn them again .*{name}_of_another"):
        check_low_rank_weights(pipeline, {**low_rank(name, layer, 1.0), **strange}, "tiny")
    with pytest.raises(UserError, match=r"these LoRA weights do not fit tiny.*there are none"):
        check_low_rank_weights(pipeline, {}, "tiny")


def test_low_rank_weights_of_another_width_are_refused_in_a_line(pipeline, projection):
    name, layer = projection
    wide = torch.nn.Linear(layer.in_features + 1, layer.out_features)
    with pytest.raises(UserError, match="these LoRA weights do not fit tiny") as caught:
        merge_low_rank_weights(pipeline, low_rank(name, wide, 1.0), "tiny")
    assert "\n" not in str(caught.value)


def test_a_denoiser_takes_the_weights_it_is_given(pipeline):
    weights = {name: value + 1 for name, value in pipeline.unet.state_dict().items()}
    load_denoiser(pipeline, weights, "tiny")
    assert all(torch.equal(value, weights[name]) for name, value in pipeline.unet.state_dict().items())


def test_a_denoiser_of_another_shape_is_refused_in_a_line_of_bounded_length(pipeline):
    weights = {f"{name}_of_another": value for name, value in pipeline.unet.state_dict().items()}
    with pytest.raises(UserError, match="these denoiser weights do not fit tiny: learn them again") as caught:
        load_denoiser(pipeline, weights, "tiny")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300  # torch names every tensor
