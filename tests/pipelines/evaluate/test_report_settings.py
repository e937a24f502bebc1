"""What the command in the report names: what makes another table than the world's files, in one form."""

from __future__ import annotations

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from benchmarks.project_copy import copy_project
from retrieval_vs_diffusion.comparison.repeat_command import repeat_command
from tests.project.conftest import PLAIN


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("asked") / "project")


@pytest.fixture
def command(project):
    def of(env: str | None = "test", rows=PLAIN, **given) -> str:
        from retrieval_vs_diffusion.pipelines.evaluate.report_settings import report_settings
        from retrieval_vs_diffusion.world import current_study

        bootstrap_project(project)
        with KedroSession.create(project, env=env, runtime_params=given) as session:
            session.load_context()
            return repeat_command(report_settings(current_study())["repeat"], rows)

    return of


def test_the_worlds_own_table_needs_no_parameter(command):
    assert command(env=None) == "kedro run"
    assert command() == "kedro run --env=test"


def test_what_decides_the_table_is_named_and_what_does_not_is_not(command):
    decides = {"repetitions": {"number": 7, "redraw": "classifier"}, "compute": {"threads": 2}}
    of_others = {"workers": 2, "strategy": "boomerang", "tune": {"repetitions": 1}, "plan": {"classes": 2}}
    of_others |= {"tracking": {"uri": "http://u:geheim@here"}, "decoded": {"at_most_gb": 1}}
    said = "compute.threads=2,repetitions.number=7,repetitions.redraw=classifier"
    assert command(**decides, **of_others) == f"kedro run --env=test --params {said}"


def test_what_the_files_say_is_not_said_again(command):
    # `auto` is the CPU where there is no GPU, and a list is the same however it is written.
    again = {"repetitions": {"number": 2}, "size_curve": {"times_originals": "2+3"}, "clip": {"checkpoint": None}}
    assert command(**again) == "kedro run --env=test"


def test_rows_are_those_of_the_table_and_not_those_that_were_asked_for(command):
    # Asked for one row; the others still hold and are in the table.
    assert command(only="boomerang") == "kedro run --env=test"
    assert command(rows=("boomerang",)) == "kedro run --env=test --params only=boomerang"
