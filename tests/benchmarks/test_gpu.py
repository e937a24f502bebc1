"""``python -m benchmarks.gpu``: what it refuses, what it says of a fault, and, on the CPU in tiny shapes, all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_stages import parts
from benchmarks.gpu_stages.reported import Check, GpuRow
from benchmarks.measuring import Measured
from benchmarks.result_files import FIELDS

ROOT = Path(__file__).parents[2]
# The GPU machines that this was made for have none of these.
MISSING_THERE = ("kedro", "kedro_datasets", "mlflow", "faiss", "datasets", "webdataset", "plotly", "beartype")
BLOCKER = f"""
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec


def find_there(name, *where):
    return None if name.split(".")[0] in {MISSING_THERE!r} else find_spec(name, *where)


PathFinder.find_spec = staticmethod(find_there)
"""
ROWS = {
    "generation": [
        ("text_to_image", "diffusers-one-prompt"),
        ("image_to_image", "diffusers-one-prompt"),
        ("text_to_image", "diffusers-compiled-batch"),
    ],
    "clip_embedding": [("clip_embedding", "clip-retrieval-stand-in")],
    "training": [("training_decode_bound", "torchvision-imagefolder")],
    "textual_inversion": [("textual_inversion", "diffusers-per-class")],
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where the GPU machine's missing packages are missing."""
    (folder / "sitecustomize.py").write_text(BLOCKER)
    path = os.pathsep.join([str(folder), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)


def row(found: float) -> dict:
    measured = Measured(ours=(1.0,), theirs=(2.0,), work="counting")
    return GpuRow("extra_counting", "by-hand", measured, "numbers", checks=(Check("sum", found, 3, 3),)).as_json()


@pytest.mark.slow
@pytest.mark.parametrize("part", parts.PARTS)
def test_a_part_runs_to_its_end_and_its_results_are_those_of_float32(part, tmp_path):
    output, text, profile = tmp_path / "rows.json", tmp_path / "block.md", tmp_path / "profile.txt"
    written = ["--output", str(output), "--markdown", str(text), "--profile", str(profile)]
    done = run(tmp_path, "--tiny", "--parts", part, *written)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(output.read_text())
    assert [(each["stage"], each["peer"]) for each in rows] == ROWS[part]
    assert all(tuple(each) == FIELDS and each["same_result"] for each in rows)
    assert text.read_text() in done.stdout
    assert profile.read_text().startswith(f"## {ROWS[part][0][0]}")


def test_every_part_has_its_rows_in_this_test():
    assert list(ROWS) == list(parts.PARTS)
    assert sum(parts.PARTS.values()) <= 9 * 60 - 15


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_can_be_done(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 2
    assert "there is no GPU here; --tiny tries everything on the CPU" in done.stderr


def test_an_unknown_part_is_refused_in_a_line(tmp_path):
    done = run(tmp_path, "--parts", "generation+nothing")
    assert done.returncode == 2
    assert "there is no part nothing; there are generation, " in done.stderr


def run_with(monkeypatch, tmp_path, told: dict) -> tuple[int, Path]:
    """The command in this process, with parts that tell these rows and failures."""
    output = tmp_path / "rows.json"
    monkeypatch.setattr(parts, "run", lambda name, *_: told[name])
    monkeypatch.setattr(sys, "argv", ["gpu", "--tiny", "--parts", "+".join(told), "--output", str(output)])
    return gpu.main(), output


def test_a_result_that_is_not_that_of_float32_is_an_error(monkeypatch, tmp_path, capsys):
    assert run_with(monkeypatch, tmp_path, {"generation": ([row(3)], None)})[0] == 0
    assert "FAILED" not in capsys.readouterr().out
    code, output = run_with(monkeypatch, tmp_path, {"generation": ([row(4)], None)})
    assert code == 1
    assert "FAILED extra_counting/by-hand: sum: 4 (at least 3 and at most 3)" in capsys.readouterr().out
    assert json.loads(output.read_text())[0]["same_result"] is False


def test_what_was_measured_before_a_part_was_cut_off_is_written(monkeypatch, tmp_path, capsys):
    code, output = run_with(monkeypatch, tmp_path, {"generation": ([row(3)], "cut off after 250 s")})
    printed = capsys.readouterr().out
    assert code == 1
    assert len(json.loads(output.read_text())) == 1
    assert "| `extra_counting` | `by-hand` |  | 2.00x | 2.00 to 2.00 | 1 numbers/s | 0.5 numbers/s |" in printed
    assert "- `generation`: not measured to its end, cut off after 250 s." in printed
