"""Every strategy of the base world with a model of Stable Diffusion 1.4's shape: one class, one image, one step."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import fingerprint

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    from retrieval_vs_diffusion.models.random_stable_diffusion import write_random_stable_diffusion

    folder = tmp_path_factory.mktemp("models") / "random-stable-diffusion"
    write_random_stable_diffusion(folder)
    yield folder
    shutil.rmtree(folder)  # 4 GB


@pytest.fixture(scope="module")
def study():
    """The base world's strategies, every one of them with one step of everything."""
    from retrieval_vs_diffusion.settings import CONFIG_LOADER_ARGS
    from retrieval_vs_diffusion.study import read_study
    from retrieval_vs_diffusion.world_config import WorldConfigLoader

    loader = WorldConfigLoader(str(ROOT / "conf"), **CONFIG_LOADER_ARGS)
    parameters = loader["parameters"]
    parameters["sampling"] |= {"steps": 1, "batch_size": 1}
    once = {"steps": 1, "batch_size": 1, "looks": 1, "gradient_checkpointing": True}
    for entry in parameters["personalisations"].values():
        entry["training"] = {**entry.get("training", {}), **once}
    parameters["strategies"]["simple_prompt_selected"]["generate"]["candidates_per_image"] = 2
    # The floor was chosen for a pool of 12,000 images; of this one's 150 none may be above it.
    parameters["strategies"]["retrieval_image"]["retrieve"]["similarity_floor"] = -1.0
    return read_study(parameters, ROOT)


@pytest.fixture(scope="module")
def world(target, pool):
    """One class, two originals and a small pool, with the base world's CLIP."""
    from retrieval_vs_diffusion.models.clip import load_clip
    from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index

    clip = load_clip(str(ROOT / "data/06_models/pretrained/clip"))
    zeros = target.reservoir.take(np.flatnonzero(target.reservoir.labels() == 0))
    embeddings = Embeddings(clip.embed_images(pool.pixels()), clip.name)
    return {
        "clip": clip,
        "pool": pool,
        **{"takedown": frozenset(), "store": None, "downloads": {}},
        "embeddings": embeddings,
        "index": build_index(embeddings),
        "reservoir": zeros,
        "protected": fingerprint(target.val, target.test),
    }


def test_every_strategy_takes_a_model_of_stable_diffusions_shape(directory, study, world):
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
    from retrieval_vs_diffusion.pipelines.bring_images import bring_images
    from retrieval_vs_diffusion.pipelines.synthesize.nodes import learn_personalisation
    from retrieval_vs_diffusion.strategies.source import class_fields_of
    from retrieval_vs_diffusion.strategies.wiring import datasets_of, resources_of

    torch.set_num_threads(2)
    subset, compute = SubsetDraw(0), {"device": "cpu", "threads": 2}

    def given(resources: tuple[str, ...]) -> dict:
        """The node inputs that stand for resources."""
        inputs = datasets_of(resources, "learned")
        values = {**world, "sampling": study.parameters.sampling.model_dump()}
        if "diffusion" in inputs:
            values["diffusion"] = load_diffusion(str(directory))
        return {name: values[name] for name in inputs if name != "learned"}

    learned = {
        name: learn_personalisation(
            part,
            name,
            ("sd", name),
            subset,
            study.class_table.only(class_fields_of(part)),
            ["zero"],
            [2],
            compute,
            **given(part.needs),
        )
        for name, part in study.personalisations.items()
    }
    assert all(each.curve.diverged is None for each in learned.values())
    for strategy in study.strategies.values():
        images: ImageTable | None = None
        for position, step in enumerate(strategy.steps):
            resources = resources_of(step, strategy)
            inputs = given(resources)
            personalisation = None
            if "learned" in resources:
                personalisation = study.personalisations[str(strategy.personalise)]
                inputs["learned"] = {"draw": learned[str(strategy.personalise)]}
            images, _ = bring_images(
                source=step.source,
                strategy=strategy.name,
                added_per_original=0.5,
                seed_parts=("sd", strategy.name, position),
                subset=subset,
                class_table=study.class_table.only(class_fields_of(step.source)),
                personalisation=personalisation,
                personalised="draw",
                lets_leaks_through=False,
                class_names=["zero"],
                originals_per_class=[2],
                protected=world["protected"],
                screening={"leak_similarity": 1.01, "black_below": 0, "rounds": 1},
                compute=compute,
                previous=images,
                **inputs,
            )
        if not strategy.adds_images:
            continue
        assert images is not None
        assert len(images) == 1, strategy.name
        generates = any(step.kind == "generate" for step in strategy.steps)
        # Counted from shapes alone; one step of a model of this size is hundreds of GFLOPs.
        assert (images.ledger["steps"][-1]["cost"]["flops"] > 1e11) == generates, strategy.name
        if images.column("checkpoint")[0]:
            assert codec.decode(next(images.encoded())).shape == (512, 512, 3), strategy.name
