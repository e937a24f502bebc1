"""``python -m benchmarks``: a row is measured in a process of its own, told, and written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.result_files import FIELDS

ROOT = Path(__file__).parents[2]
STAGE = """
from benchmarks.measuring import interleaved
from benchmarks.rows import row


@row("extra_counting", "by-hand", at_least=3)
def counting(scratch):
    assert not list(scratch.iterdir())
    return interleaved(lambda: 1.0, lambda: 2.0, repeats=2, work="counting").with_check({same}, "numbers")


@row("extra_falling", "down")
def falling(scratch):
    raise ValueError("it fell")
"""


def run(tmp_path: Path, *arguments: str, same: bool = True) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The command with these rows alone, which lie in a folder of their own: the real ones load torch and much else."""
    stages = tmp_path / "stages"
    stages.mkdir(exist_ok=True)
    (stages / "counting_stage.py").write_text(STAGE.format(same=same))
    # What Python runs at its start puts the folder in the place of the repository's.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"import benchmarks.stages as stages; stages.__path__[:] = [{str(stages)!r}]\n"
    )
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--output", str(output), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False), output


def test_a_row_is_told_and_written(tmp_path: Path) -> None:
    done, output = run(tmp_path, "--only", "extra_counting/by-hand")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(output.read_text())
    assert tuple(row) == FIELDS
    assert (row["stage"], row["peer"], row["same_result"]) == ("extra_counting", "by-hand", True)
    assert (row["ratio"], row["ratio_low"], row["ratio_high"], row["ours_s"], row["theirs_s"]) == (2, 2, 2, 1, 2)
    # A timing decides nothing, but is said.
    assert "extra_counting/by-hand: 2.00, asked is at least 3" in done.stdout
    assert "same result" in done.stdout


def test_another_result_is_an_error(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "--only", "extra_counting/by-hand", same=False)
    assert done.returncode == 1
    assert "not the same result: numbers" in done.stdout


def test_a_row_that_fails_leaves_the_others(tmp_path: Path) -> None:
    done, output = run(tmp_path, "--only", "extra_falling/down+extra_counting/by-hand")
    assert done.returncode == 1
    assert "extra_falling/down: failed" in done.stdout
    assert "it fell" in done.stderr
    assert [row["stage"] for row in json.loads(output.read_text())] == ["extra_counting"]


def test_rows_that_are_not_measured_again_stay(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    output.write_text(
        json.dumps([{"stage": "search", "peer": "autofaiss"}, {"stage": "extra_falling", "peer": "down"}])
    )
    run(tmp_path, "--only", "extra_counting/by-hand+extra_falling/down")
    # One that failed has no result any more.
    assert [row["stage"] for row in json.loads(output.read_text())] == ["search", "extra_counting"]


def test_an_unknown_row_is_refused_in_a_line(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "--only", "extra_nothing/at-all")
    assert done.returncode == 2
    assert "there is no row extra_nothing/at-all" in done.stderr
