import logging
import time

import pytest
import torch

from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.metering import metered

SAMPLING = Sampling(steps=2, batch_size=4, guidance_scale=1.0)


def generate(diffusion, number: int) -> None:
    list(diffusion.text_to_image(["a zero"] * number, list(range(number)), SAMPLING))


def test_without_a_diffusion_model_the_time_is_all_there_is(device):
    with metered(device, None) as cost:
        time.sleep(0.02)
    found = cost()
    assert found.seconds >= 0.02
    assert found == Cost(seconds=found.seconds)  # no GPU, no memory of one, no operations


def test_the_diffusion_models_operations_are_counted_and_twice_the_batches_are_twice_the_work(device, diffusion):
    counts = []
    for number in (4, 8):  # one batch and two
        with metered(device, diffusion) as cost:
            generate(diffusion, number)
        counts.append(cost().flops)
    assert counts[1] == pytest.approx(2 * counts[0], rel=0.01)  # but for the prompt, which is encoded once
    assert counts[0] > 0


def test_what_is_done_before_and_after_does_not_count(device, diffusion):
    generate(diffusion, 4)
    with metered(device, diffusion) as cost:
        pass
    generate(diffusion, 4)
    assert cost().flops == 0


def test_the_cost_is_known_when_all_is_done(device):
    with metered(device, None) as cost, pytest.raises(RuntimeError, match="when the meter's context is over"):
        cost()


def test_what_cannot_be_counted_is_said_and_stops_nothing(device, diffusion, caplog):
    with metered(device, diffusion) as cost:
        generate(diffusion, 1)
        diffusion.pipeline.unet = torch.nn.Identity()  # another module in the place of the one that is watched
    with caplog.at_level(logging.WARNING):
        found = cost()
    assert found.flops == 0
    assert found.seconds > 0
    assert "FLOPs of the diffusion model are missing from the costs: not counted: unet" in caplog.text


def test_an_error_inside_goes_through_and_leaves_nothing_behind(device, diffusion):
    with pytest.raises(ValueError, match="inside"), metered(device, diffusion):
        raise ValueError("inside")
    with metered(device, diffusion) as cost:
        generate(diffusion, 1)
    assert cost().flops > 0
