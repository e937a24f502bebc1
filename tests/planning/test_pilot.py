"""A pilot with the real parts and node functions, on the tiny models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.screening import Screening
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.pipelines.plan.nodes import _stages
from retrieval_vs_diffusion.planning.pilot import run_pilot
from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, protected_in_all, repeated
from retrieval_vs_diffusion.planning.small_pool import small_pool
from retrieval_vs_diffusion.planning.target_survey import survey_target
from retrieval_vs_diffusion.planning.timings import PilotTimings
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.composition import parse_strategy
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.unfinished import kept_in

COMPUTE = {"device": "cpu", "threads": 1}
RECIPE = ClassifierTraining(steps=6, batch_size=4, validation_looks=2)
WORD = {"type": "textual_inversion", "training": {"steps": 4, "batch_size": 2, "looks": 2}}


class Reader:
    def __init__(self, target):
        self._target = target

    def read(self):
        return self._target


@pytest.fixture
def world(target, pool, clip, diffusion, tmp_path):
    found = survey_target(Reader(target), classes=3, per_class=1, seed=0)
    images, embeddings, index = small_pool(pool, clip, {}, COMPUTE, _stages())
    return PilotWorld(
        world="tests",
        class_names=target.class_names,
        labels=found.labels,
        images_per_class=1,
        clip=clip,
        diffusion=diffusion,
        judge=None,
        pool=images,
        embeddings=embeddings,
        index=index,
        protected=protected_in_all(found.parts["val"], 500),
        class_table=ClassTable(),
        settings={
            "screening": Screening(leak_similarity=1.01).model_dump(),
            "sampling": Sampling(steps=2, batch_size=4).model_dump(),
            "downloads": Downloads().model_dump(),
            "near_duplicate_from": 0.93,
            "compute": COMPUTE,
        },
        takedown=frozenset(),
        downloads=tmp_path / "downloads",
        **found.parts,
    )


def pilot(world, personalisations=None, stages=None, recipe=RECIPE, **entries):
    learned = {
        name: build_part("retrieval_vs_diffusion.strategies.personalise", each, name)
        for name, each in (personalisations or {}).items()
    }
    strategies = {name: parse_strategy(name, entry, learned) for name, entry in entries.items()}
    recipes = {name: recipe.overridden_by(each.classifier) for name, each in strategies.items()}
    return run_pilot(strategies, learned, recipes, world, stages or _stages())


def test_the_first_batch_stands_for_all(world):
    found = pilot(world, simple={"generate": {"type": "text_to_image"}}, original_only=None)
    (step,) = found.timings.rows["simple"].steps
    assert (step.kind, step.batch_size, step.generated_an_image) == ("generate", 4, 1.0)
    assert step.batch_seconds > 0
    assert step.image_bytes > 100
    assert found.timings.rows["simple"].measure_seconds > 0
    assert found.timings.rows["original_only"].steps == ()
    assert set(found.generated) == {"simple"}
    assert sorted(found.generated["simple"].labels()) == list(world.labels)  # labelled as in the whole target
    assert not found.timings.failed


def test_nothing_is_kept_that_a_pilot_after_a_killed_one_would_find_done(world, tmp_path):
    with kept_in(tmp_path / "unfinished"):
        pilot(world, simple={"generate": {"type": "text_to_image"}})
    assert not (tmp_path / "unfinished").exists()


def test_candidates_are_counted(world):
    best = {"generate": {"type": "best_of", "candidates_per_image": 5, "generator": {"type": "text_to_image"}}}
    (step,) = pilot(world, best=best).timings.rows["best"].steps
    assert step.generated_an_image == 5.0  # 15 images for 3


def test_retrieval_counts_its_queries(world):
    found = pilot(
        world,
        text={"retrieve": {"type": "by_text"}},
        image={"retrieve": {"type": "by_image"}},
        real={"reuse": {"type": "held_back"}},
    )
    assert found.timings.failed == {}
    (by_text,), (by_image,), (real,) = (found.timings.rows[name].steps for name in ("text", "image", "real"))
    assert not by_text.queries_by_original
    assert by_text.queries >= 1
    assert by_image.queries_by_original
    assert (real.kind, real.queries, real.batch_seconds) == ("reuse", 0.0, 0.0)


def test_steps_that_fill_up_and_that_replace(world):
    generate = {"generate": {"type": "text_to_image"}}
    above = {"retrieve": {"type": "by_text", "similarity_floor": 1.0}}  # nothing is
    assert pilot(world, floor=above).timings.rows["floor"].came_through == 0.0
    restyle = {"generate": {"type": "image_to_image", "strength": 0.5, "start_from": "previous_step"}}
    found = pilot(world, fill={"steps": [above, generate]}, restyle={"steps": [generate, restyle]})
    first, second = found.timings.rows["fill"].steps
    assert (first.asked_share, second.asked_share) == (1.0, 1.0)
    assert [step.replaces for step in found.timings.rows["restyle"].steps] == [False, True]


def test_a_personalisation_is_learned_once_and_its_bytes_grow_with_classes(world):
    stages, learned = _stages(), []

    def learn(**arguments):
        learned.append((arguments["personalisation"].training.steps, len(arguments["class_names"])))
        return stages.learn(**arguments)

    entry = {"personalise": "word", "generate": {"type": "text_to_image"}}
    found = pilot(world, {"word": WORD}, replace(stages, learn=learn), one=entry, two=entry)
    assert found.timings.failed == {}
    # With a class less, for what a class takes on disk; then the warming up, and lengths of 1, 3 and at most 4 steps.
    assert learned[:4] == [(1, 2), (1, 3), (1, 3), (3, 3)]
    assert {steps for steps, _ in learned} <= {1, 3, 4}
    timing = found.timings.learn["word"]
    width = world.diffusion.pipeline.text_encoder.config.hidden_size
    assert (timing.class_bytes, timing.fixed_bytes) == (4 * width, 0)  # a vector of 4-byte numbers a class
    assert timing.originals == 3
    assert timing.encode_seconds > 0
    assert set(found.timings.rows) == {"one", "two"}


def test_a_row_that_fails_is_told_and_the_others_go_on(world):
    class Broken:
        needs = ("diffusion", "sampling")

        def propose(self, wanted, first, surroundings):
            raise RuntimeError("CUDA out of memory.\nTried to allocate 20 GiB")
            yield

    stages = _stages()

    def bring(**arguments):
        source = Broken() if arguments["strategy"] == "heavy" else arguments["source"]
        return stages.bring(**{**arguments, "source": source})

    entry = {"generate": {"type": "text_to_image"}}
    found = pilot(world, stages=replace(stages, bring=bring), heavy=entry, simple=entry)
    assert set(found.timings.rows) == {"simple"}
    assert found.timings.failed == {
        "heavy": "bringing images: RuntimeError: CUDA out of memory. Tried to allocate 20 GiB"
    }
    assert set(found.timings.train) == {"heavy", "simple"}


def test_rows_whose_personalisation_fails_say_so(world):
    def learn(**arguments):
        raise UserError("personalise: pseudo-words are not for this model")

    entry = {"personalise": "word", "generate": {"type": "text_to_image"}}
    found = pilot(world, {"word": WORD}, replace(_stages(), learn=learn), word=entry, other=entry)
    told = "word could not be learned, learning: personalise: pseudo-words are not for this model"
    assert found.timings.failed == {"word": told, "other": told}


def test_recipes_that_take_as_long_are_tried_once(world):
    stages, trained = _stages(), []

    def train(**arguments):
        trained.append(arguments["recipe"]["augmentation"])
        assert arguments["class_names"] == list(world.class_names)  # an output for every class
        return stages.train(**arguments)

    strong = {"classifier": {"augmentation": "trivial_augment"}}
    shares = {"classifier": {"added_share": 0.75}}
    found = pilot(world, stages=replace(stages, train=train), plain=None, shares=shares, strong=strong)
    assert found.timings.train["plain"] is found.timings.train["shares"]
    assert trained.index("trivial_augment") >= 3
    assert "trivial_augment" not in trained[:3]
    timing = found.timings.train["plain"]
    assert timing.bytes > 1000
    assert min(timing.decode_seconds, timing.predict_seconds) > 0


def test_a_linear_probe_grows_with_its_images(world):
    found = pilot(world, probe={"classifier": {"features": "clip"}})
    assert found.timings.failed == {}
    timing = found.timings.train["probe"]
    assert timing.by_image > 0
    classes, width = len(world.class_names), found.timings.width
    assert timing.bytes == pytest.approx(4 * classes * (width + 1), abs=4 * classes)


def test_the_world_s_model_is_left_as_it_was(world):
    before = {name: value.clone() for name, value in world.diffusion.pipeline.unet.state_dict().items()}
    denoiser = {"type": "denoiser", "training": {"steps": 2, "batch_size": 2}}
    entry = {"personalise": "own", "generate": {"type": "text_to_image"}}
    assert pilot(world, {"own": denoiser}, one=entry).timings.failed == {}
    after = world.diffusion.pipeline.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name].numpy(), after[name].numpy()) for name in before)


def test_timings_come_through_a_file(world):
    import json

    timings = pilot(world, text={"retrieve": {"type": "by_text"}}).timings
    assert PilotTimings.from_dict(json.loads(json.dumps(timings.to_dict()))) == timings


def test_protected_images_are_as_many_as_there_are_in_all(world):
    assert len(world.protected) == 500


def test_repeated_rows_have_ids_of_their_own(target):
    rows = repeated(target.val, 50)
    assert len(rows) == len(set(rows.column("image_id"))) == 50
