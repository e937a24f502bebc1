"""Seconds and bytes of each piece of a run's work, reckoned from what the pilot took."""

from __future__ import annotations

import math
import re

from retrieval_vs_diffusion.models.index_settings import STREAM, IndexSettings, choose_factory, choose_nprobe
from retrieval_vs_diffusion.planning.timings import LearnTiming, RowTiming, StepTiming, TrainTiming
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

_FORWARD_SHARE = 1 / 3  # of a training step's time: the other two thirds are the way back
_TIMES_AN_IMAGE = 4  # noise levels at which a held-out image is looked at
_KMEANS_ROUNDS = 25  # FAISS's own number for inverted lists is at most this
_GRAPH_VISITS = 256  # centres that a query is compared with where they are searched through a graph
_INDEX_BYTES_A_SECOND = 1e9  # vectors copied into an exact index

Bytes = float
Seconds = float


def bring_seconds(step: StepTiming, images: int, classes: int, originals: int, search_seconds: Seconds) -> Seconds:
    """Seconds of one step in one draw.

    Args:
        step: as the pilot timed it.
        images: that the strategy adds.
        classes: of the target.
        originals: of a draw.
        search_seconds: of one query of the whole pool.
    """
    brought = images * step.asked_share * step.brought_an_image
    batches = math.ceil(brought * step.generated_an_image / step.batch_size - 1e-9)
    queries = step.queries * (originals if step.queries_by_original else classes)
    own = brought * (step.other_seconds + step.screen_seconds)
    return own + batches * step.batch_seconds + queries * search_seconds


def tables_bytes(row: RowTiming, images: int) -> Bytes:
    """Bytes of the tables of all steps of one draw; a step that fills up writes what came before it too."""
    written = kept = 0.0
    for step in row.steps:
        own = images * step.asked_share * step.image_bytes
        kept = own if step.replaces else kept + own
        written += kept
    return written


def learn_seconds(timing: LearnTiming, training: PersonalisationTraining | None, originals: int) -> Seconds:
    """Seconds to learn a personalisation once, if it does not stop early."""
    more = max(0, originals - timing.originals) * timing.encode_seconds
    if training is None:
        return timing.fixed + more
    held_out = round(training.held_out_share * originals) * _TIMES_AN_IMAGE
    an_image = timing.per_step / (training.batch_size * training.accumulation)
    looks = (training.looks + 1) * held_out * an_image * _FORWARD_SHARE
    return timing.fixed + training.steps * timing.per_step + looks + more


def learned_bytes(timing: LearnTiming, classes: int) -> Bytes:
    """Bytes of what is learned."""
    return timing.fixed_bytes + classes * timing.class_bytes


def train_seconds(timing: TrainTiming, recipe: ClassifierTraining, images: int, val: int) -> Seconds:
    """Seconds to train one classifier.

    Args:
        timing: as the pilot timed it.
        recipe: steps and looks.
        images: originals and added ones.
        val: validation images, all of which every look looks at.
    """
    if timing.by_image:
        return (images + val) * timing.by_image
    read = (images + val) * timing.decode_seconds
    looks = recipe.validation_looks * val * timing.predict_seconds
    return timing.fixed + recipe.steps * timing.per_step + read + looks


def test_seconds(timing: TrainTiming, test: int) -> Seconds:
    """Seconds to test one classifier."""
    return test * (timing.decode_seconds + timing.predict_seconds)


def predictions_bytes(test: int, classes: int) -> Bytes:
    """Bytes of a classifier's predictions: a number for each image and class, and the image's id."""
    return test * (4.0 * classes + 60.0)


def search_seconds(rows: int, width: int, settings: IndexSettings, flops: float) -> Seconds:
    """Seconds of one query: the share of the vectors that the index reads."""
    factory = choose_factory(max(1, rows), width, settings)
    lists = _lists_of(factory)
    share = choose_nprobe(lists, settings) / lists if lists else 1.0
    return 2.0 * rows * width * share / flops


def index_seconds(rows: int, width: int, settings: IndexSettings, flops: float) -> Seconds:
    """Seconds to build the index and to check it against exact search."""
    factory = choose_factory(max(1, rows), width, settings)
    lists = _lists_of(factory)
    checked = 2.0 * rows * width * 2 * settings.recall_queries / flops
    if factory == STREAM:
        return checked
    if not lists:
        return 4.0 * rows * width / _INDEX_BYTES_A_SECOND + checked
    sample = min(rows, settings.train_sample or 40 * lists)
    compared = min(lists, _GRAPH_VISITS) if "HNSW" in factory else lists
    return 2.0 * width * (_KMEANS_ROUNDS * sample * lists + rows * compared) / flops + checked


def index_bytes(rows: int, width: int, settings: IndexSettings) -> Bytes:
    """Bytes of the index's file, by its factory string."""
    factory = choose_factory(max(1, rows), width, settings)
    if factory == STREAM:
        return 0.0
    coded = re.search(r"(?:^|,)PQ(\d+)", factory)
    code = 4.0 * width
    if coded:
        code = float(coded[1])
    elif "SQ8" in factory:
        code = float(width)
    elif "SQfp16" in factory:
        code = 2.0 * width
    return rows * (code + (8 if _lists_of(factory) else 0)) + _lists_of(factory) * 4.0 * width


def _lists_of(factory: str) -> int:
    found = re.search(r"IVF(\d+)", factory)
    return int(found[1]) if found else 0
