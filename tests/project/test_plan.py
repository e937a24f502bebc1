"""`kedro run --pipeline=plan` in a project in which nothing has run."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from tests.project.conftest import Project, kedro


@pytest.fixture(scope="module")
def planned(empty_project, tmp_path_factory) -> Project:
    path = shutil.copytree(empty_project, tmp_path_factory.mktemp("plan") / "project")
    done = kedro(
        path, "run", "--pipeline=plan", "--env=test", "--params", "only=original_only+textual_inversion+retrieval_text"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Project(path, done.stdout)


def test_it_ends_with_a_table_and_a_sentence(planned):
    assert "10 classes of 4 originals (40 of 120 images), 100 for validation, 50 for test" in planned.output
    assert "a pool of 600 images" in planned.output
    last = planned.output.strip().splitlines()[-1]
    assert last.startswith("about ")
    assert "for 3 rows of 2 repetitions; most of it: " in last
    assert "USD" in last
    assert "hard to retrieve by their prompts" in planned.output


def test_every_piece_of_work_has_a_line(planned):
    table = pd.read_csv(planned.reporting("plan/plan.csv"))
    assert table["seconds"].notna().all(), table
    pieces = {name: set(own["what"]) for name, own in table.groupby("strategy")}
    assert pieces["original_only"] == {"train", "test"}
    assert pieces["textual_inversion"] == {"personalise", "generate", "measure set", "train", "test"}
    assert pieces["retrieval_text"] == {"retrieve", "measure set", "train", "test"}
    assert pieces["(size curve)"] == {"train", "test"}
    assert pieces["(leaks let in)"] == {"retrieve", "train", "test"}
    assert pieces["(all rows)"] == {"read target", "embed validation", "read pool", "embed pool", "index pool"}
    generated = table[table["what"] == "generate"].iloc[0]
    assert (generated["times"], generated["images"]) == (2, 40)
    classes = pd.read_csv(planned.reporting("plan/classes.csv"))
    assert len(classes) == 10
    assert (classes["generated"] > 0).sum() == 3


def test_nothing_is_written_that_a_run_uses(planned):
    data = planned.path / "data/test"
    written = {file.relative_to(data).parts[:2] for file in data.rglob("*") if file.is_file()}
    assert written == {("02_intermediate", "plan"), ("08_reporting", "plan")}
    assert not (planned.path / "mlflow.db").exists()


def test_another_price_is_reckoned_from_the_same_pilot(planned, tmp_path):
    project = planned.copy(tmp_path / "project")
    rows = "only=original_only+textual_inversion+retrieval_text"
    done = project.kedro(
        "run", "--pipeline=plan", "--env=test", "--params", f"{rows},price.per_hour=100,repetitions.number=4"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 3 steps hold and are kept; 1 to run" in done.stdout
    before, after = (json.loads(each.reporting("plan/summary.json").read_text()) for each in (planned, project))
    assert after["total"]["price"] > 100 * before["total"]["price"]
    assert "of 4 repetitions" in after["sentence"]
