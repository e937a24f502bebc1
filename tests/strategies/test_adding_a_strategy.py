"""The part and the entry that docs/adding_a_strategy.md shows, as a reader would copy them."""

import re
import sys
import types
from pathlib import Path

import pytest
import yaml

from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.strategies.collect import collect
from retrieval_vs_diffusion.strategies.composition import parse_strategy
from retrieval_vs_diffusion.strategies.source import Surroundings

PAGE = (Path(__file__).parents[2] / "docs/adding_a_strategy.md").read_text()


def block(language: str, containing: str) -> str:
    (found,) = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in each]
    return found


@pytest.fixture
def strategy(monkeypatch):
    module = types.ModuleType("my_sources")
    monkeypatch.setitem(sys.modules, "my_sources", module)
    exec(block("python", "class UpsideDown"), vars(module))
    entries = yaml.safe_load(block("yaml", "upside_down"))["strategies"]
    return parse_strategy("upside_down", entries["upside_down"], {})


def test_the_documented_part_brings_what_is_asked_for(strategy, target):
    (step,) = strategy.steps
    assert step.source.needs == ("originals",)
    originals = SubsetDraw(0).train(target.reservoir, target.class_names, [2] * 10)
    surroundings = Surroundings(target.class_names, "upside_down", ("toy", 0), {"originals": originals})
    gate = Gate(Screening(leak_similarity=1.01), fingerprint(target.val.take([]), target.test.take([])))
    images = collect(step.source, [3] * 10, surroundings, gate).images
    assert len(images) == 30  # 3 of each of 10 classes
    first, second = (images.row(n) for n in range(2))
    assert first["parent"] == originals.row(0)["image_id"]
    assert second["parent"] == originals.row(1)["image_id"]
    assert images.row(2)["parent"] == originals.row(0)["image_id"]  # in turn


def test_a_documented_variant_is_an_entry(strategy):
    entries = yaml.safe_load(block("yaml", "more_guided_prompt"))["strategies"]
    variant = parse_strategy("more_guided_prompt", entries["more_guided_prompt"], {})
    assert variant.steps[0].source.sampling.guidance_scale == 7.5
