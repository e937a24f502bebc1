import logging
import threading
import time

import pytest

from retrieval_vs_diffusion import progress as module
from retrieval_vs_diffusion.progress import heartbeat, progress


@pytest.fixture
def lines(monkeypatch, caplog):
    """Log lines of progress at every item, whatever the terminal."""
    monkeypatch.setattr(module, "_lines_only", True)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level(logging.INFO, logger=module.__name__)
    return lambda: [record.getMessage() for record in caplog.records if record.name == module.__name__]


def test_items_pass_through_unchanged_and_in_order(lines):
    assert list(progress(iter("abc"), "reading")) == ["a", "b", "c"]


def test_a_line_says_how_much_of_the_whole_is_done(lines):
    for _ in progress(range(3), "training"):
        time.sleep(0.002)
    assert lines()[-1].startswith("training: 2 of 3 after 0 s")  # the third is still being worked on


def test_the_whole_is_left_out_where_it_is_not_known_and_taken_where_it_is_given(lines):
    for _ in progress(iter(range(2)), "reading"):
        time.sleep(0.002)
    assert lines()[-1].startswith("reading: 1 after")
    for _ in progress(iter(range(2)), "reading", total=7):
        time.sleep(0.002)
    assert lines()[-1].startswith("reading: 1 of 7 after")


def test_quick_work_writes_nothing(lines, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 60.0)
    assert len(list(progress(range(1000), "counting"))) == 1000
    assert lines() == []


def beating() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "beat" in thread.name]


def test_a_heartbeat_speaks_while_the_work_is_silent_and_stops_with_it(lines):
    with heartbeat("loading"):
        assert len(beating()) == 1
        time.sleep(1.2)  # it looks once a second
    assert [line.split(":")[0] for line in lines()] == ["loading"]
    assert beating() == []


def test_a_heartbeat_ends_when_the_work_fails(lines):
    with pytest.raises(RuntimeError, match="broken"), heartbeat("loading"):
        raise RuntimeError("broken")
    assert beating() == []
