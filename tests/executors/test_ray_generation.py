"""Generated images, their ids and what they cost are the same whoever makes them."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generate.image_to_image import ImageToImage
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
from retrieval_vs_diffusion.strategies.metering import metered
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import kept_in

pytestmark = pytest.mark.ray
WANTED, FIRST = {0: 2, 1: 5}, {0: 0, 1: 0}  # seven images in batches of two: four units, the last of one image


@pytest.fixture
def world(diffusion, red_and_blue) -> Surroundings:
    sampling = Sampling(steps=2, batch_size=2)
    resources = {"diffusion": diffusion, "sampling": sampling, "originals": red_and_blue([0, 1])}
    return Surroundings(("zero", "one"), "row", ("toy", "row", "repetition_0", 0), resources)


def made_and_cost(source, world, device, kept):
    world.resources["diffusion"].prompts.forget()
    with metered(device, world.resources["diffusion"]) as cost, kept_in(kept):
        rows = ImageTable.from_rows(source.propose(WANTED, FIRST, world)).table
    return rows, cost()


def test_text_to_image_on_one_machine(world, device, cluster, tmp_path):
    source = TextToImage(prompts=("a photo of a {name}", "a {name}"))
    rows, cost = made_and_cost(source, world, device, tmp_path / "here" / "f")
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)):
        rows_there, cost_there = made_and_cost(source, world, device, tmp_path / "there" / "f")
    assert rows_there.equals(rows)
    assert len(set(rows["image_id"].to_pylist())) == 7
    assert cost_there.flops == cost.flops > 0
    assert cost_there.seconds < 20 * cost.seconds  # the actors' work: starting them takes longer than that


def test_image_to_image_on_two_machines(world, device, cluster, second_machine, tmp_path):
    source = ImageToImage(strength=0.5, prompts=("a {name}",))
    rows, cost = made_and_cost(source, world, device, tmp_path / "here" / "f")
    with executed_by(RayExecutor(RaySettings(most_actors=2), cluster.address)):
        rows_there, cost_there = made_and_cost(source, world, device, tmp_path / "there" / "f")
    assert rows_there.equals(rows)
    assert cost_there.flops == cost.flops > 0
