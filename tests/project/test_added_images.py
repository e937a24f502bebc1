"""How much to add, asked of a finished project."""

from __future__ import annotations

import pandas as pd


def test_numbers_and_shares_are_varied_and_the_report_draws_them(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    rows = "only=retrieval_text+original_only"
    done = project.kedro("run", "--env=test", "--pipeline=added_images", "--params", rows)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "How much to add" in done.stdout
    table = pd.read_csv(project.reporting("added_images.csv"))
    assert set(table["strategy"]) == {"retrieval_text"}  # the baseline adds nothing
    # Of 4 originals a class, 10 classes: 0.5, 1 and 2 times as many; then a quarter of a batch in place of half.
    assert list(zip(table["images_added"], table["added_share"], strict=True)) == [
        *((20, 0.5), (40, 0.5), (80, 0.5), (40, 0.25))
    ]
    before = project.reporting("report.html").read_text()
    assert project.kedro("run", "--env=test", "--params", "only=all").returncode == 0
    after = project.reporting("report.html").read_text()
    assert 'data-figure="added_number"' in after
    assert 'data-figure="added_number"' not in before
    # The row's own images are the first of the larger set, so its variant is the row.
    usual = table[(table["images_added"] == 40) & (table["added_share"] == 0.5)]["top1_mean"].item()
    board = pd.read_csv(project.reporting("leaderboard.csv")).set_index("strategy")
    assert usual == board.loc["retrieval_text", "top1_mean"]


def test_where_no_row_adds_images_it_says_so(finished):
    done = finished.kedro("run", "--env=test", "--pipeline=added_images", "--params", "only=original_only")
    assert done.returncode == 1
    assert "none of original_only generates or retrieves" in done.stderr
