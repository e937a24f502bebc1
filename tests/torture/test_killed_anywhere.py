"""A study that is killed again and again ends as one that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.project_copy import copy_project
from tests.project.conftest import kedro
from tests.project.mlflow_reading import ended_as
from tests.torture.killing import Moment, kill_at, made, numbered_units, start
from tests.torture.same_artifacts import contents, leftovers

KILLS = int(os.environ.get("TORTURE_KILLS", "30"))
SEED = int(os.environ.get("TORTURE_SEED", "0"))
# Steps that a random moment would hardly meet, in the order in which they come, and how many units must be there; the
# other kills are spread evenly.
AIMED = (
    ("read_pool", 0),
    ("embed_pool", 1),
    ("embed_pool", 0),
    ("embed_pool", 2),
    ("build_index", 0),
    *[("personalise.", 0)] * 3,
    (".generate_", 1),
    (".generate_", 0),
    (".generate_", 2),
    (".generate_", 0),
    (".generate_", 1),
)
STAGES = ("data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate")
LOGGED = """
  unit_log: {class: logging.FileHandler, filename: units.log, level: DEBUG}
loggers:
  retrieval_vs_diffusion.unfinished: {level: DEBUG, handlers: [unit_log], propagate: false}
"""


def arguments(rows: str) -> tuple[str, ...]:
    return ("--env=test", "--params", f"only={rows}")


@pytest.fixture(scope="module")
def rows() -> str:
    """All rows, or few of each kind where there are few kills."""
    return "all" if KILLS >= 20 else "original_only+simple_prompt+textual_inversion+retrieval_text"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, rows) -> Path:
    project = copy_project(tmp_path_factory.mktemp("undisturbed") / "project")
    done = kedro(project, "run", *arguments(rows))
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def killed(tmp_path_factory, undisturbed, rows) -> tuple[Path, dict[str, int], Counter[str]]:
    """A project whose run was killed and started again; how often in which stage, and what became of units."""
    project = copy_project(tmp_path_factory.mktemp("killed") / "project")
    logging = project / "conf/logging.yml"
    logging.write_text(logging.read_text().replace("\nloggers:\n", LOGGED))
    data, log = project / "data/test", project / "runs.log"
    data.mkdir(parents=True)
    seconds, stage_of, total = about_steps(undisturbed / "data/test")
    drawn = random.Random(SEED)
    counts, stages = Counter(), Counter()
    # Of a few kills the first is aimed at embedding, the second at generating, and the others are spread.
    aimed = AIMED if len(AIMED) <= KILLS else (AIMED[1], AIMED[8])
    aims = (*aimed, *[("", 0)] * KILLS)[:KILLS]
    for number in range(KILLS):
        kind, units = aims[number]
        evenly = 0 if kind else made(data) + (total - made(data)) // (KILLS - number + 1)
        moment = Moment(kind, evenly, units, drawn.random(), drawn.random() < 0.5)
        before, kept_before = numbered_units(data), lines_of(project / "units.log")
        run = start(project, *arguments(rows), log=log)
        what = kill_at(run, data, moment, seconds)
        assert not what.finished, f"kill {number + 1} came too late: {log.read_text()[-2000:]}"
        stages.update({stage_of.get(step, "evaluate") for step in what.steps})
        kept = lines_of(project / "units.log")[len(kept_before) :]
        counts["units found again"] += sum(line.endswith(" found") for line in kept)
        counts["units done twice"] += len(done_twice(before, kept))
        print(f"kill {number + 1}: {', '.join(what.steps)} ({len(what.units)} units)", flush=True)
    done = kedro(project, "run", *arguments(rows))
    assert done.returncode == 0, done.stdout + done.stderr
    counts["units found again"] += sum(line.endswith(" found") for line in lines_of(project / "units.log"))
    print(f"killed while at work on {dict(stages)}; {dict(counts)}", flush=True)
    return project, dict(counts), stages


def about_steps(data: Path) -> tuple[dict[str, float], dict[str, str], int]:
    """Of each step its usual seconds and its stage; and how many artifacts there are."""
    seconds, stage = {}, {}
    records = [json.loads(path.read_text()) for path in data.rglob("*.made.json")]
    for record in records:
        name = record["made_by"]
        seconds[name] = record["seconds"]
        stage[name] = stage_named(name)
    return seconds, stage, len(records)


def stage_named(step: str) -> str:
    """The stage of a step, by its name."""
    known = {
        "read_": "data_ingest",
        "count_originals": "data_ingest",
        "fingerprint": "data_ingest",
        "embed_": "index_build",
        "build_index": "index_build",
        "check_index": "index_build",
        "personalise.": "synthesize",
        ".generate_": "synthesize",
        ".retrieve_": "retrieve",
        ".reuse_": "retrieve",
        ".train_": "train",
    }
    return next((stage for part, stage in known.items() if part in step), "evaluate")


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def done_twice(before: dict[str, int], lines: list[str]) -> set[str]:
    """Units that were there when a run began, and that it made again."""
    return before.keys() & {line.removesuffix(" kept") for line in lines if line.endswith(" kept")}


@pytest.mark.torture
def test_images_ids_models_and_accuracies_are_those_of_an_undisturbed_run(undisturbed, killed):
    expected, found = contents(undisturbed / "data/test"), contents(killed[0] / "data/test")
    assert expected.keys() == found.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


@pytest.mark.torture
def test_units_that_were_whole_were_found_again_and_none_was_made_twice(killed):
    _, counts, _ = killed
    assert counts["units found again"] > 0
    assert counts["units done twice"] == 0


@pytest.mark.torture
def test_kills_met_every_stage(killed):
    if KILLS >= 20:
        assert set(killed[2]) == set(STAGES)


@pytest.mark.torture
def test_nothing_half_written_is_left(killed):
    assert leftovers(killed[0] / "data/test") == []


@pytest.mark.torture
def test_mlflow_holds_every_repetition_once_as_finished(undisturbed, killed):
    finished = ended_as(undisturbed)
    assert set(map(tuple, finished.values())) == {("FINISHED",)}
    found = ended_as(killed[0])
    assert found.keys() == finished.keys()
    assert all(statuses.count("FINISHED") == 1 and "RUNNING" not in statuses for statuses in found.values())
