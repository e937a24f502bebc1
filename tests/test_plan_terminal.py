"""The plan on terminals of 80 and of 130 columns."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from retrieval_vs_diffusion.plan_terminal import plan_table
from retrieval_vs_diffusion.planning import extrapolation
from retrieval_vs_diffusion.planning.in_words import summarise
from tests.planning.stand_ins import THERE, TIMINGS, asked
from tests.planning.test_in_words import EASY


def shown(width: int, timings=TIMINGS, **changed) -> str:
    plan = asked("original_only", "inversion", "fusion", "retrieval", sizes=[2.0], leaky=["retrieval"], **changed)
    table = extrapolation.plan_table(plan, THERE, timings, workers=2)
    summary = summarise(table, EASY, plan, THERE, timings)
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(plan_table(pd.DataFrame(table), summary, width >= 130))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 130])
def test_nothing_is_cut_off(width):
    text = shown(width, replace(TIMINGS, device="cuda"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    for name in ("(all rows)", "original_only", "inversion", "fusion", "retrieval", "(size curve)", "(leaks let in)"):
        assert sum(name in line for line in lines) == 1, name
    assert "EUR" in text
    assert "GPU" in text
    assert ("personalise" in text.split("in all")[0]) == (width == 130)


def test_the_total_counts_a_shared_personalisation_once():
    text = shown(130)
    fusion = next(line for line in text.splitlines() if "fusion" in line)
    assert " *" in fusion
    assert "counted once" in " ".join(text.split())


def test_a_row_that_could_not_be_tried_is_marked():
    rows = {name: each for name, each in TIMINGS.rows.items() if name != "retrieval"}
    text = shown(80, replace(TIMINGS, rows=rows, failed={"retrieval": "bringing images: broken"}))
    assert "retrieval !" in text
    assert "could not be tried, see below" in " ".join(text.split())
