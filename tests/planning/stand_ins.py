"""A survey, a pilot and a run in round numbers, so that a plan can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.planning.asked import Asked, AskedRow
from retrieval_vs_diffusion.planning.surveyed import Surveyed, SurveyedPool
from retrieval_vs_diffusion.planning.timings import LearnTiming, PilotTimings, RowTiming, StepTiming, TrainTiming
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

# 2 classes of 50 images in the reservoir, 10 val and 20 test each; 10 of each are trained on.
POOL = SurveyedPool(
    rows=1000,
    exact=True,
    how="read",
    usable_share=0.9,
    links=False,
    given_index=False,
    sample=100,
    seconds_an_image=0.01,
    image_bytes=500.0,
)
THERE = Surveyed(
    classes=("cat", "dog"),
    images={"test": (20, 20), "val": (10, 10), "reservoir": (50, 50)},
    tried=(0, 1),
    seconds_an_image=0.1,
    image_bytes=1000.0,
    pool=POOL,
)

# 20 originals, three times as many added: 60 images of 600 bytes, in batches of 50 that take 4 s each.
GENERATE = StepTiming(
    kind="generate",
    generated_an_image=1.0,
    batch_size=50,
    batch_seconds=4.0,
    other_seconds=0.1,
    screen_seconds=0.1,
    image_bytes=600.0,
)
RETRIEVE = StepTiming(kind="retrieve", queries=1.0, other_seconds=0.05, screen_seconds=0.05, image_bytes=600.0)
# 1 s and 0.5 s for each of 10 steps; images are decoded in 0.01 s and tested in 0.02 s.
TRAIN = TrainTiming(fixed=1.0, per_step=0.5, decode_seconds=0.01, predict_seconds=0.02, bytes=1_000_000)
# 2 s, 0.6 s for each step of 10 images, 0.1 s to encode each original beyond the pilot's 4.
LEARN = LearnTiming(fixed=2.0, per_step=0.6, encode_seconds=0.1, originals=4, fixed_bytes=100.0, class_bytes=50.0)
LEARNING = PersonalisationTraining(steps=100, batch_size=10, looks=4, held_out_share=0.2)
RECIPE = ClassifierTraining(steps=10, validation_looks=5)

TIMINGS = PilotTimings(
    device="cpu",
    device_name="cpu, 1 thread a worker",
    embed_seconds=0.02,
    width=10,
    search_flops=1e9,
    learn={"word": LEARN},
    rows={
        "original_only": RowTiming(),
        "prompts": RowTiming((GENERATE,), 0.05),
        "inversion": RowTiming((GENERATE,), 0.05),
        "fusion": RowTiming((GENERATE,), 0.05),
        "retrieval": RowTiming((RETRIEVE,), 0.05),
    },
    train=dict.fromkeys(("original_only", "prompts", "inversion", "fusion", "retrieval"), TRAIN),
    seconds=12.0,
)


def asked(*names: str, **changed: Any) -> Asked:
    """Some of the rows, five repetitions of each, all drawn anew; at 2 EUR an hour."""
    rows = {
        "original_only": AskedRow(0.0, None),
        "prompts": AskedRow(3.0, None),
        "inversion": AskedRow(3.0, "word"),
        "fusion": AskedRow(3.0, "word"),
        "retrieval": AskedRow(3.0, None),
    }
    whole = Asked(
        rows={name: rows[name] for name in names},
        recipes=dict.fromkeys(["original_only", *names], RECIPE),
        training={"word": LEARNING},
        repetitions=5,
        image_draws=5,
        personalisation_draws=5,
        per_class=10,
        price=Price(per_hour=2.0, currency="EUR"),
    )
    return replace(whole, **changed)
