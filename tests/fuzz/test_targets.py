"""The fuzz itself: its targets read the files it begins from, and its report tells a crash."""

from __future__ import annotations

import pytest

from tests.fuzz.readers import Outcome, _crash, main
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_reads_what_the_fuzz_begins_from(name):
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        TARGETS[name].run(seed)


def test_a_crash_is_told_with_the_file_that_makes_it():
    output = (
        "x\nKeyError: 'a'\nTraceback\n==1== ERROR: libFuzzer: fuzz target exited\nTest unit written to build/fuzz/a-1\n"
    )
    assert _crash(output, 77) == "KeyError: 'a'; build/fuzz/a-1"
    assert _crash("ERROR: libFuzzer: timeout after 12 seconds\n", 70).startswith("ERROR: libFuzzer: timeout after 12")
    assert _crash("", -11) == "ended with -11; build/fuzz"
    assert _crash("Traceback\nzipfile.BadZipFile: x\n", 1) == "zipfile.BadZipFile: x; build/fuzz"
    assert _crash("", None) == "no end; build/fuzz"


@pytest.mark.parametrize(
    ("crash", "code", "last"), [(None, 0, "1 passed, 0 failed"), ("KeyError", 1, "0 passed, 1 failed")]
)
def test_the_exit_code_and_the_last_line_say_whether_something_crashed(crash, code, last, monkeypatch, capsys):
    pytest.importorskip("atheris")
    from tests.fuzz import readers

    monkeypatch.setattr(readers, "_in_a_process", lambda name, seconds: Outcome(name, 1, 2, 3, 0.1, crash))
    assert main(["--seconds-per-target", "1", "--only", "sidecars"]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_target_that_is_not_there_is_told(capsys):
    pytest.importorskip("atheris")
    assert main(["--only", "nothing"]) == 2
    assert "no target nothing; there are picture, " in capsys.readouterr().err
