"""The graph in a real headless Chromium."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser


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
