"""From stand-in timings to a table: what is counted once, side by side, on a GPU, and what could not be tried."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from retrieval_vs_diffusion.planning.extrapolation import LEAK_COMPARISON, SHARED, SIZE_CURVE, plan_table
from tests.planning.stand_ins import POOL, THERE, TIMINGS, asked


def line(table: pd.DataFrame, strategy: str, what: str) -> pd.Series:
    found = table[(table["strategy"] == strategy) & (table["what"] == what)]
    assert len(found) == 1, (strategy, what, table)
    return found.iloc[0]


def test_a_row_is_made_of_its_pieces():
    table = plan_table(asked("prompts"), THERE, TIMINGS, workers=1)
    assert list(table[table["strategy"] == "prompts"]["what"]) == ["generate", "measure set", "train", "test"]
    made = line(table, "prompts", "generate")
    assert (made["times"], made["images"]) == (5, 60)
    assert made["seconds"] == pytest.approx(5 * 20)  # test_work.py has the 20 s
    assert made["bytes"] == 5 * 60 * 600
    assert made["price"] == pytest.approx(5 * 20 / 3600 * 2.0)
    assert line(table, "prompts", "measure set")["seconds"] == pytest.approx(5 * 60 * 0.05)
    # 1 + 10 x 0.5 s, 80 images and 20 of validation decoded in 0.01 s, 5 looks at 20 images in 0.02 s.
    assert line(table, "prompts", "train")["seconds"] == pytest.approx(5 * (1 + 5 + 1 + 2))
    assert line(table, "prompts", "train")["bytes"] == 5_000_000
    assert line(table, "prompts", "test")["seconds"] == pytest.approx(5 * 40 * 0.03)


def test_what_every_row_needs_is_there_once():
    table = plan_table(asked("prompts"), THERE, TIMINGS, workers=1)
    assert line(table, SHARED, "read target")["seconds"] == pytest.approx(160 * 0.1)
    assert line(table, SHARED, "read target")["bytes"] == 160_000
    assert line(table, SHARED, "read pool")["seconds"] == pytest.approx(1000 * 0.01)
    assert line(table, SHARED, "read pool")["bytes"] == 900 * 500  # a tenth cannot be used
    assert line(table, SHARED, "embed pool")["seconds"] == pytest.approx(900 * 0.02)
    assert line(table, SHARED, "embed pool")["bytes"] == 900 * 10 * 4
    without = plan_table(asked("prompts"), replace(THERE, pool=None), TIMINGS, workers=1)
    assert set(without[without["strategy"] == SHARED]["what"]) == {"read target", "embed validation"}


def test_a_pool_of_links_is_not_embedded_and_its_images_are_kept_twice():
    links = replace(THERE, pool=replace(POOL, links=True, given_index=True))
    table = plan_table(asked("retrieval"), links, TIMINGS, workers=1)
    assert "embed pool" not in set(table["what"])
    assert line(table, SHARED, "index pool")["bytes"] == 0  # it came with one
    assert line(table, "retrieval", "retrieve")["bytes"] == 2 * 5 * 60 * 600


def test_a_shared_personalisation_is_shown_twice_and_counted_once():
    table = plan_table(asked("inversion", "fusion"), THERE, TIMINGS, workers=1)
    first, second = line(table, "inversion", "personalise"), line(table, "fusion", "personalise")
    assert first["seconds"] == second["seconds"] == pytest.approx(5 * (2 + 60 + 1.6 + 1.6))
    assert (first["counted"], second["counted"]) == (True, False)
    assert second["note"] == "word is counted above"


def test_what_is_not_drawn_anew_is_made_once():
    once = plan_table(asked("inversion", image_draws=1, personalisation_draws=1), THERE, TIMINGS, workers=1)
    assert line(once, "inversion", "personalise")["times"] == 1
    assert line(once, "inversion", "generate")["seconds"] == pytest.approx(20)
    assert line(once, "inversion", "train")["times"] == 5


def test_workers_share_what_can_stand_side_by_side():
    alone, four = (plan_table(asked("prompts"), THERE, TIMINGS, workers=each) for each in (1, 4))
    assert line(four, "prompts", "train")["seconds"] == line(alone, "prompts", "train")["seconds"]
    assert line(four, "prompts", "train")["hours"] == pytest.approx(line(alone, "prompts", "train")["hours"] / 4)
    assert line(four, SHARED, "read pool")["hours"] == line(alone, SHARED, "read pool")["hours"]  # one step
    assert alone["gpu_hours"].sum() == 0


def test_a_gpu_runs_one_step_after_the_other():
    table = plan_table(asked("prompts"), THERE, replace(TIMINGS, device="cuda"), workers=4)
    made = line(table, "prompts", "generate")
    assert made["hours"] == made["gpu_hours"] == pytest.approx(5 * 20 / 3600)
    assert line(table, SHARED, "read pool")["gpu_hours"] == 0


def test_a_row_that_could_not_be_tried_says_why_and_the_others_are_counted():
    rows = {name: each for name, each in TIMINGS.rows.items() if name != "fusion"}
    failed = replace(TIMINGS, rows=rows, failed={"fusion": "bringing images: OutOfMemoryError: CUDA out of memory"})
    table = plan_table(asked("prompts", "fusion"), THERE, failed, workers=1)
    broken = line(table, "fusion", "bring")
    assert pd.isna(broken["seconds"])
    assert "out of memory" in broken["note"]
    assert line(table, "fusion", "train")["seconds"] > 0
    assert line(table, "prompts", "generate")["seconds"] == pytest.approx(100)


def test_comparisons_beside_the_rows_have_lines_of_their_own():
    table = plan_table(asked("retrieval", sizes=[0.5, 9.0], leaky=["retrieval"]), THERE, TIMINGS, workers=1)
    curve = table[(table["strategy"] == SIZE_CURVE) & (table["what"] == "train")]
    # Half of 10 originals a class; nine times as many are more than the 50 that there are.
    assert list(curve["images"]) == [10, 100]
    assert list(curve["times"]) == [5, 5]
    leaky = table[table["strategy"] == LEAK_COMPARISON]
    assert list(leaky["what"]) == ["retrieve", "train", "test"]  # such a set is not measured
    own = line(table, "retrieval", "retrieve")
    assert line(table, LEAK_COMPARISON, "retrieve")["seconds"] == pytest.approx(own["seconds"])


def test_a_set_that_could_not_be_measured_says_so():
    rows = {**TIMINGS.rows, "prompts": replace(TIMINGS.rows["prompts"], measure_seconds=None)}
    failed = replace(TIMINGS, rows=rows, failed={"prompts": "measuring the set: other classes"})
    table = plan_table(asked("prompts"), THERE, failed, workers=1)
    assert pd.isna(line(table, "prompts", "measure set")["seconds"])
    assert line(table, "prompts", "measure set")["note"] == "measuring the set: other classes"
    assert line(table, "prompts", "generate")["seconds"] == pytest.approx(100)
