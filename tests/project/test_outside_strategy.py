"""Strategies from outside the package: one file and one entry of YAML; our own code is not touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.project.conftest import ROWS, Project

SOURCES = '''
import numpy as np

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.parts import part


@part
class Stripes:
    """As many stripes as the label says."""

    @property
    def needs(self):
        return ()

    def propose(self, wanted, first, surroundings):
        for label, count in wanted.items():
            for number in range(first[label], first[label] + count):
                seed = surroundings.seed(label, number)
                pixels = np.random.default_rng(seed).integers(0, 100, (16, 16, 3), dtype=np.uint8)
                pixels[:, : label + 1] += 100  # light
                yield image_row(pixels, f"stripes/{seed}", label=label, true_label=label)


@part
class Shelf:
    """There is nothing on it."""

    @property
    def needs(self):
        return ()

    def propose(self, wanted, first, surroundings):
        raise UserError("shelf: there is nothing; put something there")
'''
ENTRIES = """
strategies:
  stripes: {generate: {type: my_sources.Stripes}}
  broken: {generate: {type: my_sources.Shelf}}
"""


def with_sources(project: Project) -> Project:
    (project.path / "src/my_sources.py").write_text(SOURCES)
    (project.path / "conf/test/strategies.yml").write_text(ENTRIES)
    return project


def table_of(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.reporting("leaderboard.csv")).set_index("strategy")


def made(run) -> set[str]:
    """The steps that a run made, by what it says of them."""
    return {line.split("] ")[1].split(" (")[0] for line in run.stdout.splitlines() if "] " in line and " s)" in line}


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Project:
    return with_sources(finished.copy(tmp_path_factory.mktemp("outside") / "project"))


@pytest.fixture(scope="module")
def first_run(project):
    run = project.kedro("run", "--pipeline=stripes", "--env=test")
    assert run.returncode == 0, run.stderr
    return run


def test_one_file_and_one_entry_make_a_row(project, first_run):
    table = table_of(project)
    assert list(table.index) == [*ROWS, "stripes"]
    assert table.loc["stripes", "images_added"] == 40  # 4 of each of 10 classes, as for all others
    assert table.loc["stripes", "label_agreement"] == 1.0  # by the true labels that it gives
    steps = ("generate", "train", "predict_test", "measure_set")
    own = {f"stripes.{step}_repetition_{repetition}" for step in steps for repetition in (0, 1)}
    # Nothing else is made but the comparison.
    assert made(first_run) == own | {
        *("stripes.collect_results", "comparison.compare_strategies", "comparison.tabulate"),
        *("comparison.digest_results", "comparison.write_report"),
    }


def test_editing_the_file_makes_the_row_again_and_a_comment_does_not(project, first_run):
    file = project.path / "src/my_sources.py"
    file.write_text(SOURCES.replace("# light", "# half as light as can be"))
    run = project.kedro("run", "--pipeline=stripes", "--env=test")
    assert made(run) == set(), run.stdout
    before = table_of(project)
    file.write_text(SOURCES.replace("+= 100", "+= 120"))
    run = project.kedro("run", "--pipeline=stripes", "--env=test")
    assert run.returncode == 0, run.stderr
    assert "stripes.generate_repetition_0" in made(run)
    assert not [name for name in made(run) if not name.startswith(("stripes.", "comparison."))]
    assert table_of(project).drop("stripes").equals(before.drop("stripes"))


@pytest.mark.parametrize("workers", [1, 2])
def test_where_a_strategy_fails_the_others_go_on_and_one_line_says_so(finished, tmp_path, workers):
    project = with_sources(finished.copy(tmp_path / "project"))
    for strategy in ("retrieval_text", "more_real"):  # to be made again
        shutil.rmtree(project.path / f"data/test/07_model_output/{strategy}")
    only = f"only=broken+retrieval_text+stripes,workers={workers},repetitions.number=2"
    run = project.kedro("run", "--env=test", "--params", only)
    assert run.returncode != 0
    failed = [f"broken.generate_repetition_{repetition}" for repetition in (0, 1)]
    (line,) = [line for line in run.stderr.splitlines() if line.strip()]
    first, other = sorted(failed, key=lambda name: name not in line)
    assert line == (
        f"Error: {first}: shelf: there is nothing; put something there (and 1 more steps failed, see above); "
        "everything that does not need it is done"
    )
    told = " ".join(run.stdout.split())
    assert f"{first} failed and what needs it is left out. shelf: there is nothing; put something there" in told
    assert f"{other} failed for the same reason" in told
    assert "success" not in told
    assert "Traceback" not in run.stdout + run.stderr
    # Its own row and the one that nobody asked to be made again are not there; all others are, and the new one.
    assert list(table_of(project).index) == [*(row for row in ROWS if row != "more_real"), "stripes"]
    assert (
        Path(project.reporting("report.html")).stat().st_mtime > Path(finished.reporting("report.html")).stat().st_mtime
    )
    assert not [name for name in made(run) if name.startswith("broken.")]


def test_a_stage_that_fails_without_a_comparison_after_it_ends_in_one_line_too(project, first_run):
    run = project.kedro("run", "--env=test", "--pipeline=broken", "--namespaces=broken")
    assert run.returncode != 0
    assert made(run) == set()
    assert "Error: broken.generate_repetition_" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
