"""The same seed, the same table: whatever the order of the strategies, their number, or the number of workers."""

from __future__ import annotations

import html
import json
import re
import shlex

import pandas as pd
import pytest
import yaml

from benchmarks.project_copy import copy_project
from tests.project.conftest import Project

ROWS = ("original_only", "simple_prompt", "retrieval_text")
# Said in another order than in the files, with some that change nothing.
GIVEN = f"workers=1,only={'+'.join(reversed(ROWS))},repetitions.number=2,compute.device=cpu"


@pytest.fixture(scope="module")
def again(finished, tmp_path_factory) -> Project:
    """A fresh project with the strategies in reversed order, of which some ran, in one process."""
    del finished  # so that the two do not run at once
    path = copy_project(tmp_path_factory.mktemp("again") / "project")
    file = path / "conf/base/strategies.yml"
    base = yaml.safe_load(file.read_text())
    turned = {**base, "strategies": dict(reversed(base["strategies"].items()))}
    file.write_text(yaml.safe_dump(turned, sort_keys=False))
    done = Project(path, "").kedro("run", "--env=test", "--params", GIVEN)
    assert done.returncode == 0, done.stdout + done.stderr
    return Project(path, done.stdout)


def digest_of(project: Project) -> dict:
    return json.loads(project.reporting("results_digest.json").read_text())


def command_in(project: Project) -> str:
    report = project.reporting("report.html").read_text()
    return html.unescape(re.search(r'<code class="command">(.*?)</code>', report).group(1))


def test_the_rows_are_the_same_image_by_image_and_prediction_by_prediction(finished, again):
    first, second = digest_of(finished), digest_of(again)
    assert set(second["rows"]) == {*ROWS, "size_curve"}
    assert second["rows"].items() <= first["rows"].items()
    assert second["parts"].items() <= first["parts"].items()
    assert second["digest"] != first["digest"]  # of a table with fewer rows


def test_the_leaderboard_is_the_same_to_the_last_digit(finished, again):
    first, second = (pd.read_csv(each.reporting("leaderboard.csv")).set_index("strategy") for each in (finished, again))
    assert list(second.index) == [name for name in reversed(list(first.index)) if name in ROWS]
    first, second = (each.loc[second.index].drop(columns=["seconds"]) for each in (first, second))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_the_files_of_images_are_the_same_byte_by_byte(finished, again):
    for place in ("simple_prompt/repetition_1", "retrieval_text/repetition_0"):
        shard = f"data/test/05_model_input/{place}/added_images/shard-00000.parquet"
        assert (again.path / shard).read_bytes() == (finished.path / shard).read_bytes(), place


def test_the_report_has_the_command_in_one_form_and_the_digest_that_the_run_printed(finished, again):
    rows = "+".join(reversed(ROWS))
    assert command_in(again) == f"kedro run --env=test --params only={rows}"
    assert command_in(finished) == "kedro run --env=test --params only=all"
    digest = digest_of(again)["digest"]
    assert f'<code id="digest">{digest}</code>' in again.reporting("report.html").read_text()
    assert re.search(rf"^  the digest  {digest} ", again.output, re.MULTILINE)


def test_the_command_of_the_report_repeats_it(again):
    said = again.kedro(*shlex.split(command_in(again))[1:])
    assert said.returncode == 0, said.stderr
    assert "; 0 to run" in said.stdout  # the same study, as far as every artifact goes
    assert digest_of(again)["digest"] in said.stdout


def test_another_seed_is_another_table(again):
    """Or the tests above could not fail: the world's name is in every seed."""
    stale = again.stale(only="+".join(ROWS), world="another")
    assert {"simple_prompt.generate_repetition_0", "retrieval_text.train_repetition_1"} <= stale
