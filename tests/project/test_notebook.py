"""The notebook runs from its first cell to its last on the test world's results, and draws."""

from __future__ import annotations

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from benchmarks.project_copy import ROOT

NOTEBOOK = ROOT / "notebooks/results.ipynb"
FIGURES = ("accuracy", "size-curve", "cost", "classes")  # the cells that draw


@pytest.fixture(scope="module")
def executed(finished):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WORLD", "test")
        place = {"metadata": {"path": str(finished.path)}}
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()
    return notebook


def test_it_is_committed_without_outputs():
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


def test_it_runs_without_a_word_of_warning(executed):
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type in ("error", "stream")] == []


def test_every_figure_is_drawn(executed):
    pictures = {cell.id: _picture(cell) for cell in executed.cells if cell.id in FIGURES}
    assert pictures.keys() == set(FIGURES)
    for name, pixels in pictures.items():
        assert min(pixels.shape[:2]) > 200, name
        # Points and lines in colour, not an empty frame in black on white.
        assert (np.ptp(pixels.astype(int), axis=2) > 60).sum() > 200, name


def test_it_begins_with_the_verdict(executed, finished):
    text = next(cell for cell in executed.cells if cell.id == "read").outputs[-1].data["text/markdown"]
    assert text.splitlines()[0] == f"> {json.loads(finished.reporting('summary.json').read_text())['sentence']}"


def _picture(cell) -> np.ndarray:
    (data,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
