"""Units, and the sentence that a plan ends with."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from retrieval_vs_diffusion.planning.extrapolation import plan_table
from retrieval_vs_diffusion.planning.hard_classes import COLUMNS
from retrieval_vs_diffusion.planning.in_words import duration, money, size, summarise
from retrieval_vs_diffusion.planning.timings import RowTiming
from tests.planning.stand_ins import POOL, THERE, TIMINGS, asked

EASY = pd.DataFrame(
    [["cat", 0.3, 40, 360, 30, 2, 1.0, "", ""], ["dog", 0.3, 60, 540, 30, 2, 0.5, "", "CLIP sees others"]],
    columns=list(COLUMNS),
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0.4 s"), (45, "45 s"), (720, "12 min"), (11_160, "3.1 h"), (1e6, "278 h"), (1e7, "2,778 h")],
)
def test_hours_in_a_unit_that_fits(seconds, expected):
    assert duration(seconds / 3600) == expected


def test_what_is_not_known_is_a_dash():
    assert duration(float("nan")) == "–"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [(500, "500 B"), (2_400, "2.4 kB"), (2.4e9, "2.4 GB"), (61e9, "61 GB"), (1.5e12, "1.5 TB"), (9e15, "9,000 TB")],
)
def test_bytes_in_a_unit_that_fits(stored, expected):
    assert size(stored) == expected


def test_small_prices_keep_what_tells_something():
    assert (money(9.3, "USD"), money(0.0052, "USD"), money(0), money(12345.678)) == (
        *("USD 9.30", "USD 0.0052", "0.00", "12,345.68"),
    )


def test_the_sentence_adds_up_what_is_counted():
    plan = asked("inversion", "fusion")
    table = plan_table(plan, THERE, TIMINGS, workers=1)
    summary = summarise(table, EASY, plan, THERE, TIMINGS)
    hours = table[table["counted"]]["hours"].sum()
    assert summary["total"]["hours"] == pytest.approx(hours)
    assert hours < table["hours"].sum()  # the word is learned once
    assert summary["total"]["price"] == pytest.approx(2.0 * hours)
    assert summary["sentence"].endswith("for 2 rows of 5 repetitions; most of it: inversion")
    assert summary["sentence"].startswith(f"about {duration(hours)} and ")
    assert "EUR" in summary["sentence"]


def test_what_was_estimated_and_what_failed_is_told():
    plan = asked("prompts", left_out=["left out for want of a pool: retrieval"])
    guessed = replace(THERE, pool=replace(POOL, exact=False, how="the first of 3 tars counted"))
    rows = {**TIMINGS.rows, "retrieval": RowTiming((), 0.0, came_through=0.5)}
    failed = replace(TIMINGS, rows=rows, failed=dict.fromkeys(("fusion", "prompts"), "bringing images: broken"))
    summary = summarise(plan_table(plan, guessed, failed, 1), EASY, plan, guessed, failed)
    notes = "\n".join(summary["notes"])
    assert "1,000 images are an estimate: the first of 3 tars counted" in notes
    assert "could not be tried and is missing from the totals: fusion, prompts, bringing images: broken" in notes
    assert "retrieval: 50% of the images asked for in the pilot were there in the end" in notes
    assert "left out for want of a pool" in notes
    assert "a pool of about 1,000 images, of which 90% can be used" in summary["there"]
    assert "2 classes of 10 originals (20 of 100 images)" in summary["there"]


def test_hard_classes_say_what_was_looked_at():
    plan = asked("prompts")
    lines = summarise(plan_table(plan, THERE, TIMINGS, 1), EASY, plan, THERE, TIMINGS)["classes"]
    assert "hard to retrieve by their prompts, among 100 images of the pool: none" in lines
    assert "hard to generate, of cat, dog: dog" in lines
    without = replace(THERE, pool=None)
    nothing = EASY.assign(generated=0)
    lines = summarise(plan_table(plan, without, TIMINGS, 1), nothing, plan, without, TIMINGS)["classes"]
    assert lines == [
        "hard to retrieve: not told, for want of a pool",
        "hard to generate: not told, for no image was generated",
    ]
