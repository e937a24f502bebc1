"""Growth over machines and processor seconds, by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.scaling.nodes_plot import draw
from benchmarks.scaling.process_trees import ProcessorSeconds
from benchmarks.scaling.sleeping import Sleeping, Slept, growth, units_of
from retrieval_vs_diffusion.unfinished import Section


def test_growth_by_hand():
    # One machine works from 10 to 14, the other from 12 to 15: both from 12 to 14, with two units each.
    first = [Slept("one", at, at + 1) for at in (10, 11, 12, 13)]
    second = [Slept("two", at, at + 1) for at in (12, 13, 14)]
    seen = growth(8.0, [*first, *second])
    assert (seen.machines, seen.start) == (2, 4.0)  # from the call at 8 to the second machine's first unit
    assert seen.steady == pytest.approx(4 / 2)
    assert seen.whole == pytest.approx(7 / 7)  # seven units from 8 to 15


def test_units_that_are_kept_are_read_again(tmp_path):
    kept, work = Section(tmp_path), Sleeping(0.0)
    units = units_of(3)
    made = list(work.make(units, kept))
    assert [kept.find(unit.number, lambda path, unit=unit: work.read(path, unit)) for unit in units] == made
    assert all(each.machine and each.done >= each.begun for each in made)


def test_a_child_counts_for_its_root_and_nobody_else():
    busy = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass\ntime.sleep(60)"
    parent = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"]
    working, idle = subprocess.Popen(parent, start_new_session=True), subprocess.Popen(["/bin/sleep", "60"])
    try:
        with ProcessorSeconds({"working": working.pid, "idle": idle.pid}) as spent:
            ended_by = time.monotonic() + 60
            while spent.of("working") < 0.6 and time.monotonic() < ended_by:
                time.sleep(0.05)
        assert 0.6 <= spent.of("working") < 3
        assert spent.of("idle") < 0.1
    finally:
        os.killpg(working.pid, 9)
        idle.kill()
        working.wait()
        idle.wait()


def test_the_picture_is_drawn_from_the_files_words(tmp_path):
    rows = [
        {"nodes": str(nodes), "seconds_a_unit": "1.0", "steady_per_s": f"{nodes}", "whole_per_s": f"{nodes / 2}"}
        for nodes in (1, 2)
    ]
    draw(rows, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 5_000
