"""Settings are tried in the test world for two strategies."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml

from benchmarks.project_copy import ROOT

TRIED = ("retrieval_text", "strong_augmentation")
TRIALS = yaml.safe_load((ROOT / "conf/base/parameters_tune.yml").read_text())["tune"]["trials"]
PARAMETERS = f"only={'+'.join(TRIED)},tune.repetitions=2"


@pytest.fixture(scope="module")
def tuned(finished, tmp_path_factory):
    project = finished.copy(tmp_path_factory.mktemp("tuned") / "project")
    run = project.kedro("run", "--env=test", "--pipeline=tune", "--params", PARAMETERS)
    assert run.returncode == 0, run.stdout + run.stderr
    return project, run.stdout


def test_every_trial_has_a_row_and_one_of_each_strategy_is_chosen(tuned):
    project, _ = tuned
    table = pd.read_csv(project.reporting("tuning.csv"))
    assert table.groupby("strategy")["trial"].apply(list).to_dict() == {
        name: [f"{name}__trial_{number}" for number in range(len(TRIALS[name]))] for name in TRIED
    }
    assert table["val_top1_mean"].between(0, 1).all()
    for strategy, rows in table.groupby("strategy"):
        (chosen,) = rows.index[rows["chosen"]]
        assert chosen == rows["val_top1_mean"].idxmax(), strategy  # the first of the best
    accuracies = [json.loads(each) for each in table["val_top1"]]
    assert {len(each) for each in accuracies} == {2}
    assert table["val_top1_mean"].tolist() == pytest.approx([sum(each) / 2 for each in accuracies])


def test_the_chosen_settings_are_those_of_the_table(tuned):
    project, _ = tuned
    table = pd.read_csv(project.reporting("tuning.csv"))
    chosen = json.loads(project.reporting("tuning_chosen.json").read_text())
    won = table[table["chosen"]]
    assert chosen == {name: json.loads(text) for name, text in zip(won["strategy"], won["settings"], strict=True)}


def test_the_leaderboard_stays_as_it_was_and_nothing_of_the_trials_was_tested(tuned, finished):
    project, output = tuned
    assert project.reporting("leaderboard.csv").read_bytes() == finished.reporting("leaderboard.csv").read_bytes()
    assert "__trial_0" in output
    assert "predict_test" not in output
    assert not list((project.path / "data/test/07_model_output").glob("*__trial_*"))


def test_tuning_again_makes_nothing(tuned):
    project, _ = tuned
    before = project.reporting("tuning.csv").read_bytes()
    again = project.kedro("run", "--env=test", "--pipeline=tune", "--params", PARAMETERS)
    assert again.returncode == 0, again.stderr
    assert "; 0 to run" in again.stdout
    assert project.reporting("tuning.csv").read_bytes() == before


def test_what_cannot_be_tried_is_told_in_one_line(finished):
    run = finished.kedro("run", "--env=test", "--pipeline=tune", "--params", "only=original_only")
    assert run.returncode != 0
    assert "tune.trials: none is for original_only; there are some for " in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_every_strategy_of_the_base_world_that_has_settings_has_trials_that_fit_it():
    from kedro.config import OmegaConfigLoader

    from retrieval_vs_diffusion.settings import CONFIG_LOADER_ARGS
    from retrieval_vs_diffusion.study import read_study
    from retrieval_vs_diffusion.trials import trials_of

    loader = OmegaConfigLoader(str(ROOT / "conf"), **{**CONFIG_LOADER_ARGS, "default_run_env": "base"})
    study = read_study({**loader["parameters"], "only": "all"}, ROOT)
    _, trials = trials_of(study)
    assert set(study.strategies) - {trial.strategy for trial in trials} == {"original_only", "more_real"}
