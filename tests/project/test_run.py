"""What `kedro run` leaves behind, and what the next run makes again."""

from __future__ import annotations

import json
import re
import shutil

import pandas as pd
import pytest

from tests.project.conftest import ADD_NOTHING, PLAIN, ROWS

# The rows that the study and the papers that it compares ask for, and those of this project.
OF_THE_STUDY = {
    *("original_only", "more_real", "simple_prompt", "clip_prompts", "definition_prompts", "boomerang"),
    *("real_guidance", "textual_inversion", "textual_inversion_clip_prompts", "da_fusion", "conditioning"),
    *("conditioning_clusters_2", "conditioning_clusters_4", "finetuned_denoiser", "retrieval_text"),
    *("retrieval_image", "retrieval_text_image", "strong_augmentation", "retrieval_then_generation"),
    *("retrieval_restyled", "simple_prompt_selected"),
}


def test_the_leaderboard_has_a_row_for_each_strategy_and_the_promised_columns(finished):
    table = pd.read_csv(finished.reporting("leaderboard.csv"))
    assert set(ROWS) >= OF_THE_STUDY
    assert tuple(table["strategy"]) == ROWS
    assert list(table.columns)[:8] == [
        "strategy",
        "repetitions",
        "top1_mean",
        "top1_se",
        "images_added",
        "label_agreement",
        "agreement_by",
        "seconds",
    ]
    assert (table["repetitions"] == 2).all()
    assert table["top1_mean"].between(0, 1).all()


def test_every_strategy_adds_the_same_number_of_images_or_says_how_many_it_lacks(finished):
    added = pd.read_csv(finished.reporting("leaderboard.csv")).set_index("strategy")["images_added"]
    # The test world trains on 4 images of each of 10 classes and adds 1.0 for each: 4 * 10 * 1.0 = 40.
    short = "retrieval_image"  # its similarity floor is above what this small pool holds for some classes
    assert added.drop([*ADD_NOTHING, short]).eq(40).all()
    assert added[list(ADD_NOTHING)].eq(0).all()
    missing = round(2 * (40 - added[short]))  # over two repetitions
    assert missing > 0
    notes = json.loads(finished.reporting("summary.json").read_text())["notes"]
    assert f"{short}: {missing} of 80 images could not be brought, all repetitions together" in notes
    assert any(
        note.startswith("strong_augmentation: its classifier is trained by a recipe of its own") for note in notes
    )
    assert len(notes) == 2


def test_the_tables_of_the_verdict_are_there_and_fit_each_other(finished):
    tables = {path.stem: pd.read_csv(path) for path in finished.reporting("").glob("*.csv")}
    assert {"comparisons", "size_curve", "ledger", "costs", "classes", "leaks"} <= tables.keys()
    # Declared beforehand: each row against the baseline, and the pair of the arms' best rows.
    family = tables["comparisons"]
    assert len(family) == len(ROWS) - 1 + 1
    assert (family["verdict"] == "no verdict").all()  # two repetitions are too few
    assert list(tables["size_curve"]["images_per_class"]) == [4, 8, 12]  # 4 originals a class, 12 in the reservoir
    seconds = tables["costs"].set_index("strategy")
    stages = seconds[["personalise_seconds", "bring_seconds", "screen_seconds", "train_seconds"]].sum(axis=1)
    assert stages.to_numpy() == pytest.approx(seconds["seconds"].to_numpy())
    generated = seconds["diffusion_flops"] > 0
    assert generated["simple_prompt"]
    assert not generated[["original_only", "more_real", "retrieval_text"]].any()
    assert len(tables["classes"]) == 10 * len(ROWS)


def test_the_ledger_adds_up(finished):
    ledger = pd.read_csv(finished.reporting("ledger.csv"))
    refused = ledger[["broken", "black", "duplicate", "leak", "below_floor", "dead"]].sum(axis=1)
    assert (ledger["brought"] == ledger["used"] + refused).all()
    assert (ledger["asked"] == ledger["used"] + ledger["short_by"]).all()
    floored = ledger[ledger["strategy"] == "retrieval_image"]
    assert floored["below_floor"].sum() > 0
    assert floored["short_by"].sum() >= floored["below_floor"].sum()  # leaks among the last above it leave gaps too
    added = pd.read_csv(finished.reporting("leaderboard.csv")).set_index("strategy")["images_added"]
    one_step = ledger.groupby("strategy").filter(lambda rows: rows["step"].max() == 1).groupby("strategy")["used"].sum()
    assert one_step.to_dict() == {name: 2 * added[name] for name in one_step.index}  # two repetitions


def test_leaks_come_in_for_the_side_comparison_alone(finished):
    leaks = pd.read_csv(finished.reporting("leaks.csv")).set_index("strategy")
    ledger = pd.read_csv(finished.reporting("ledger.csv"))
    refused = ledger.groupby("strategy")["leak"].sum()
    assert set(leaks.index) == {name for name in ROWS if name.startswith("retrieval")}
    assert leaks.loc["retrieval_text", "leaks_let_in"] > 0
    assert refused["retrieval_text"] > 0
    check = json.loads(finished.reporting("screening_check.json").read_text())
    assert (check["planted"], check["found"], check["others"]) == (10, 10, 590)


def test_label_agreement_says_what_it_was_judged_by(finished):
    table = pd.read_csv(finished.reporting("leaderboard.csv")).set_index("strategy")
    assert table.loc["retrieval_text", "agreement_by"] == "true_labels"
    assert table.loc["simple_prompt", "agreement_by"] == "judge"


def test_the_table_of_added_images_has_a_row_for_each_strategy_that_adds_some(finished):
    table = pd.read_csv(finished.reporting("sets.csv")).set_index("strategy")
    assert tuple(table.index) == tuple(row for row in ROWS if row not in ADD_NOTHING)
    assert (table["draws"] == 2).all()
    assert table["kid"].notna().all()
    assert table["diversity"].between(0, 2).all()
    copying = table[["nearest_pool_mean", "nearest_pool_max", "copied_share"]]
    taken = ["more_real", "retrieval_text", "retrieval_image", "retrieval_text_image"]
    assert copying.loc[taken].isna().all(axis=None)  # nothing was generated
    assert copying.drop(taken).notna().all(axis=None)
    # More real images look more like the validation images than anything else does, however weak the rest is.
    assert table["kid"].idxmin() == "more_real"


def test_a_pseudo_word_is_learned_once_and_shared(finished):
    of = {
        name: json.loads((finished.path / f"data/test/07_model_output/{name}/results.json").read_text())["repetitions"]
        for name in ("textual_inversion", "textual_inversion_clip_prompts", "da_fusion", "retrieval_restyled")
    }
    seconds = {name: [each["seconds"]["personalise"] for each in repetitions] for name, repetitions in of.items()}
    assert len({tuple(each) for each in seconds.values()}) == 1  # the very same learning counts for each of them
    assert len(re.findall(r"\] personalise\.textual_inversion_repetition_\d", finished.output)) == 2


def test_the_mean_and_error_are_those_of_the_repetitions(finished):
    results = json.loads((finished.path / "data/test/07_model_output/simple_prompt/results.json").read_text())
    first, second = (each["top1"] for each in results["repetitions"])
    row = pd.read_csv(finished.reporting("leaderboard.csv")).set_index("strategy").loc["simple_prompt"]
    assert row["top1_mean"] == pytest.approx((first + second) / 2)
    # For two values the standard deviation is |a - b| / sqrt(2); by sqrt(2) it is |a - b| / 2.
    assert row["top1_se"] == pytest.approx(abs(first - second) / 2)


def test_the_run_ends_with_table_sentence_and_what_to_open(finished):
    assert "What was added, and what it was worth" in finished.output
    sentence = json.loads(finished.reporting("summary.json").read_text())["sentence"]
    assert sentence in finished.output
    for line in ("mlflow ui", "kedro viz run", "report.html"):
        assert line in finished.output


def test_a_second_run_makes_nothing_and_gives_the_same_file(finished):
    before = finished.reporting("leaderboard.csv").read_bytes()
    again = finished.kedro("run", "--env=test")
    assert again.returncode == 0
    assert re.search(r"(\d+) of \1 steps hold and are kept; 0 to run", again.stdout)
    assert finished.reporting("leaderboard.csv").read_bytes() == before


def test_a_plain_run_makes_the_main_rows_and_leaves_the_others_in_the_table(empty_project, finished):
    stale = type(finished)(empty_project, "").stale()
    assert {name.split(".")[0] for name in stale if name.endswith(".collect_results")} == set(PLAIN)
    every = type(finished)(empty_project, "").stale(only="all")
    assert {name.split(".")[0] for name in every if name.endswith(".collect_results")} == set(ROWS)


def test_a_strategy_runs_alone_and_the_other_rows_are_kept(finished, tmp_path):
    copy = finished.copy(tmp_path / "project")
    for folder in ("07_model_output/boomerang", "07_model_output/more_real"):
        shutil.rmtree(copy.path / "data/test" / folder)
    run = copy.kedro("run", "--pipeline=boomerang", "--env=test")
    assert run.returncode == 0, run.stderr
    # boomerang is made again; more_real, which is missing, is left out; the other rows still hold.
    table = pd.read_csv(copy.reporting("leaderboard.csv"))
    assert list(table["strategy"]) == [row for row in ROWS if row != "more_real"]


def test_a_subset_of_strategies_can_be_named_by_parameter(finished):
    only = finished.stale(only="simple_prompt+retrieval_text")
    assert only == set()  # both hold, and so does the comparison with all rows
