import os
import signal
import time

import pytest

from benchmarks.gpu_stages import parts

LIMITS = {"first": 100, "second": 50, "third": 10}


@pytest.mark.parametrize(
    ("chosen", "name", "spent", "left"),
    [
        (["first", "second", "third"], "first", 0, 100),
        (["first", "second", "third"], "second", 30, 120),  # 100 + 50 - 30: what the first left over is the second's
        (["first", "second", "third"], "third", 158, 2),
        (["first", "second", "third"], "third", 170, 0),
        (["second"], "second", 0, 50),  # a part that is not asked for leaves nothing
    ],
)
def test_what_a_part_leaves_over_the_next_one_has(chosen, name, spent, left):
    assert parts.left_for(name, chosen, spent, LIMITS) == left


def fake_part(tmp_path, monkeypatch, then: str) -> None:
    """In the place of Python a script that tells a row, in the file after --to, and goes on with ``then``."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho \'{{"stage": "told"}}\' >> "$6"\n{then}\n')
    script.chmod(0o755)
    monkeypatch.setattr(parts.sys, "executable", str(script))


def test_a_part_that_is_cut_off_leaves_its_rows_and_no_process(tmp_path, monkeypatch):
    fake_part(tmp_path, monkeypatch, f"sleep 60 & echo $! > {tmp_path}/worker; wait")
    started = time.monotonic()
    assert parts.run("first", 1, tmp_path, True, None) == ([{"stage": "told"}], "cut off after 1 s")
    assert time.monotonic() - started < 30
    worker = int((tmp_path / "worker").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # init or whoever adopted it needs a moment
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("its worker runs on")


def test_a_part_that_fails_is_told_with_its_rows(tmp_path, monkeypatch):
    fake_part(tmp_path, monkeypatch, "exit 3")
    assert parts.run("first", 60, tmp_path, True, None) == ([{"stage": "told"}], "ended with 3")
    fake_part(tmp_path, monkeypatch, "exit 0")
    (tmp_path / "first.jsonl").unlink()
    assert parts.run("first", 60, tmp_path, True, None) == ([{"stage": "told"}], None)
