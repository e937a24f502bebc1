"""The report and the graph in a real headless Chromium."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.conftest import ADD_NOTHING, ROWS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here: apt-get install chromium")
        pytest.skip("no Chromium found: the report and the graph were not tested in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def test_the_report_stands_alone_and_draws_without_the_network(finished, browser):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(finished.reporting("report.html").as_uri())
    page.wait_for_selector(".scatterlayer .point")
    assert page.locator("#verdict").inner_text()
    assert page.locator("#leaderboard tbody tr").count() == len(ROWS)
    assert page.locator("#sets tbody tr").count() == len(ROWS) - len(ADD_NOTHING)
    assert page.locator(".scatterlayer .point").count() == len(ROWS)  # a point a strategy
    assert page.locator(".grid img").count() > 50
    broken = page.evaluate("[...document.images].filter(image => !image.naturalWidth).length")
    assert broken == 0
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_report_fits_a_phone(finished, browser):
    page = browser.new_context(offline=True, viewport={"width": 390, "height": 800}).new_page()
    page.goto(finished.reporting("report.html").as_uri())
    page.wait_for_selector(".scatterlayer .point")
    # The tables scroll in their own boxes; the page itself is no wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_kedro_viz_shows_a_box_for_each_strategy(finished, browser, tmp_path):
    with _kedro_viz(finished.path, tmp_path / "viz.log") as address:
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(address)
        page.wait_for_selector(".pipeline-node", timeout=60_000)
        shown = set(page.locator(".pipeline-node__text").all_text_contents())
    assert {"retrieval_text", "simple_prompt", "textual_inversion", "comparison", "pool.images"} <= shown
    # Closed boxes hide what is inside.
    assert not [name for name in shown if "repetition" in name]


@contextlib.contextmanager
def _kedro_viz(project: Path, log: Path) -> Iterator[str]:
    """A kedro-viz server on loopback; started again on another port where it did not come up."""
    kedro = str(Path(sys.executable).with_name("kedro"))
    for _ in range(3):
        # Below the range from which the system takes ports for connections, such as the browser's.
        port = random.randrange(20_000, 30_000)
        command = [kedro, "viz", "run", "--no-browser", "--env=test", f"--port={port}"]
        with log.open("w") as output:
            environment = {**os.environ, "DO_NOT_TRACK": "true"}
            server = subprocess.Popen(command, cwd=project, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            if _answers(f"http://127.0.0.1:{port}/api/main", server):
                yield f"http://127.0.0.1:{port}/"
                return
        finally:
            server.terminate()
            server.wait(timeout=30)
    pytest.fail(f"kedro viz did not answer: {log.read_text()[-2000:]}")


def _answers(url: str, server: subprocess.Popen) -> bool:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return True
        time.sleep(0.5)
    return False
