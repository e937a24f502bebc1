"""A row that downloads what it chose is killed while it does, and ends with the images of one that was not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.project_copy import copy_project
from tests.images.downloads.server import serve
from tests.project.own_files import SMALL, as_jpeg, rendered_pool, write_links, write_photographs
from tests.torture.killing import Moment, kill_at, start
from tests.torture.same_artifacts import contents, leftovers

pytestmark = pytest.mark.torture
KILLED_AFTER = (5, 20, 40)  # addresses that were asked for


def slowly(data: bytes):
    def answer(request) -> None:
        time.sleep(0.05)
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


@pytest.fixture(scope="module")
def web_and_links(tmp_path_factory):
    pool = rendered_pool()
    folder = tmp_path_factory.mktemp("links")
    project = copy_project(folder / "project")
    with serve() as web:
        for number, row in enumerate(pool.rows(range(len(pool)))):
            if number % 3:  # every third link is dead
                web.add(f"{number}.jpg", slowly(as_jpeg(row)))
        clip = project / "data/06_models/pretrained/clip"
        links = write_links(folder / "pool", pool, web.address, clip)
        yield web, links, write_photographs(folder / "photographs")


def arguments(links: Path, photographs: Path) -> tuple[str, ...]:
    given = f"target.path={photographs},pool.path={links},pool.downloads.private_addresses=true,only=retrieval_text"
    return ("--env=own", "--params", f"{given},pool.downloads.seconds_between=0,{SMALL}")


def test_the_images_are_the_same_and_no_shard_is_downloaded_again(web_and_links, tmp_path):
    web, links, photographs = web_and_links
    command = arguments(links, photographs)
    undisturbed, killed = (copy_project(tmp_path / name / "project") for name in ("undisturbed", "killed"))
    assert start(undisturbed, *command, log=tmp_path / "undisturbed.log").wait(300) == 0
    once = sum(web.asked.values())
    web.asked.clear()
    data = killed / "data/own"
    data.mkdir(parents=True)
    for number in KILLED_AFTER:
        run = start(killed, *command, log=tmp_path / "killed.log")
        while sum(web.asked.values()) < number and run.poll() is None:
            time.sleep(0.01)
        what = kill_at(run, data, Moment("retrieve_", 0, 0, 0.0, whole_group=True), {})
        assert not what.finished
    before = sum(web.asked.values())
    assert start(killed, *command, log=tmp_path / "killed.log").wait(300) == 0
    assert sum(web.asked.values()) - before <= once
    expected, found = contents(undisturbed / "data/own"), contents(data)
    images = [name for name in expected if name.startswith(("05_", "06_", "07_"))]
    assert images
    assert [name for name in images if expected[name] != found[name]] == []
    assert leftovers(data / "05_model_input") == []
    assert not list(data.rglob("*.part"))
