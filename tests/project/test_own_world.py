"""A user's own pictures and pool through `--env=own`, without a line of Python."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.project_copy import copy_project
from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from tests.images.downloads.server import serve
from tests.project.conftest import kedro
from tests.project.own_files import CLASSES, SMALL, as_jpeg, rendered_pool, write_links, write_photographs, write_shards


def images_at(project: Path, place: str):
    return ImageTableDataset(filepath=str(project / "data/own" / place)).load()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A project whose own world ran once on class folders and img2dataset shards, with what it said."""
    root = tmp_path_factory.mktemp("own")
    photographs = write_photographs(root / "my photographs")
    pool = write_shards(root / "my pool", rendered_pool())
    project = copy_project(root / "project")
    rows = "only=original_only+more_real+retrieval_text_image+simple_prompt"
    ran = kedro(project, "run", "--env=own", "--params", f"target.path={photographs},pool.path={pool},{rows},{SMALL}")
    assert ran.returncode == 0, ran.stderr[-2000:]
    return project, ran.stdout + ran.stderr


def test_rows_that_need_no_diffusion_model_are_made_and_the_others_told(own):
    project, said = own
    board = pd.read_csv(project / "data/own/08_reporting/leaderboard.csv")
    assert list(board["strategy"]) == ["original_only", "more_real", "retrieval_text_image"]
    assert "left out for want of a diffusion model (diffusion.path): simple_prompt" in " ".join(said.split())
    report = (project / "data/own/08_reporting/report.html").read_text()
    assert "Strategies left out for want of a diffusion model" in report


def test_the_parts_of_the_target_hold_every_picture_once(own):
    project, _ = own
    parts = {part: images_at(project, f"02_intermediate/target/{part}") for part in ("reservoir", "val", "test")}
    hashes = [each for table in parts.values() for each in table.column("content_hash")]
    assert len(hashes) == len(set(hashes)) == 48  # 3 x 16; the copy and the broken file are out
    assert len(parts["test"]) in (11, 12)  # round(0.25 x 17 files) = 4 of each class, less the broken one or the copy
    originals = json.loads((project / "data/own/02_intermediate/target/originals_per_class.json").read_text())
    counts = [parts["reservoir"].labels().tolist().count(label) for label in range(3)]
    assert originals == [max(1, round(0.5 * count)) for count in counts]  # target.per_class: 0.5
    assert json.loads((project / "data/own/02_intermediate/target/classes.json").read_text()) == sorted(CLASSES)


def test_the_pools_broken_image_is_counted_and_its_rows_say_where_they_come_from(own):
    project, _ = own
    pool = images_at(project, "02_intermediate/pool/images")
    assert (len(pool), pool.ledger["read"], pool.ledger["broken"]) == (239, 240, 1)
    added = images_at(project, "05_model_input/retrieval_text_image/repetition_0/added_images")
    urls = {f"https://pictures.example/{shard:05d}{number:04d}.jpg" for shard in (0, 1) for number in range(120)}
    assert set(added.column("source")) <= urls


def test_a_picture_that_is_taken_down_is_used_no_more_and_what_used_it_is_made_again(own, tmp_path):
    project, _ = own
    place = "05_model_input/retrieval_text_image/repetition_0/added_images"
    before = images_at(project, place).column("source")
    (tmp_path / "takedown.txt").write_text(f"# asked by its owner\n{before[0]}\n")
    paths = f"target.path={project.parent}/my photographs,pool.path={project.parent}/my pool"
    rows = "only=retrieval_text_image"
    takedown = f"takedown={tmp_path / 'takedown.txt'}"
    ran = kedro(project, "run", "--env=own", "--params", f"{paths},{rows},{takedown},{SMALL}")
    assert ran.returncode == 0, ran.stderr[-2000:]
    after = images_at(project, place).column("source")
    assert before[0] not in after
    assert len(after) == len(before)
    assert "read_pool" not in ran.stdout  # nor is the pool read or embedded again
    assert "embed_pool" not in ran.stdout


def test_a_pool_of_links_is_searched_first_and_what_was_chosen_downloaded(tmp_path):
    pool = rendered_pool()
    project = copy_project(tmp_path / "project")
    photographs = write_photographs(tmp_path / "photographs")
    with serve() as web:
        for number, row in enumerate(pool.rows(range(len(pool)))):
            if number % 3:  # every third link is dead
                web.add(f"{number}.jpg", as_jpeg(row))
        links = write_links(tmp_path / "links", pool, web.address, project / "data/06_models/pretrained/clip")
        settings = (
            f"target.path={photographs},pool.path={links},pool.downloads.private_addresses=true,only=retrieval_text"
        )
        arguments = ("run", "--env=own", "--params", f"{settings},pool.downloads.seconds_between=0,{SMALL}")
        ran = kedro(project, *arguments)
        assert ran.returncode == 0, ran.stderr[-2000:]
        asked = sum(web.asked.values())
        added = images_at(project, "05_model_input/retrieval_text/repetition_0/added_images")
        line = pd.read_csv(project / "data/own/08_reporting/ledger.csv").sum(numeric_only=True)
        assert len(added) == line["used"] / 2 == 3 * 5  # two repetitions; 10 or 11 in a reservoir, half of it originals
        assert line["dead"] > 0
        assert line["brought"] == line["used"] + line["dead"] + line["duplicate"] + line["leak"]
        assert asked < len(pool)  # what was not chosen was not asked for
        assert not web.asked["239.jpg"]  # punsafe 0.99
        again = kedro(project, *arguments)
        assert again.returncode == 0
        assert sum(web.asked.values()) == asked  # and nothing twice
    downloaded = project / "data/own/02_intermediate/pool/downloaded"
    assert sorted(path.name for path in downloaded.glob("*.parquet"))  # img2dataset's layout


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("", "target.path: is missing; name your labelled images"),
        ("target.path=/nowhere/at/all", "there is nothing at /nowhere/at/all"),
    ],
)
def test_what_is_missing_is_said_in_one_line(empty_project, params, said):
    ran = kedro(empty_project, "run", "--env=own", "--params", f"{params},{SMALL}" if params else SMALL)
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("Error:")]
    assert said in line
