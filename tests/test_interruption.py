"""What must be done is done before a signal ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from retrieval_vs_diffusion.interruption import Interruption

_PROGRAM = """
import os, signal, sys
from retrieval_vs_diffusion.interruption import Interruption
watched = Interruption(lambda how: print("last:", how, flush=True))
{before}
watched.watch()
{work}
"""
_KILL = "os.kill(os.getpid(), signal.{name})"


def _outcome(work: str, before: str = "") -> tuple[int, list[str]]:
    program = _PROGRAM.format(work=work, before=before)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stdout.splitlines()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_as_ever_once_the_last_thing_is_done(name):
    assert _outcome(_KILL.format(name=name) + "; print('after')") == (
        *(-signal.Signals[name], [f"last: ended by {name}"]),
    )


def test_a_signal_waits_for_work_that_puts_it_off():
    work = (
        "with watched.put_off():\n    " + _KILL.format(name="SIGTERM") + "; print('work', flush=True)\nprint('after')"
    )
    assert _outcome(work) == (-signal.SIGTERM, ["work", "last: ended by SIGTERM"])


def test_ctrl_c_does_the_last_thing_at_the_end():
    code, lines = _outcome(_KILL.format(name="SIGINT"))
    assert code != 0
    assert lines == ["last: interrupted before it was done"]


def test_a_process_that_forgets_ends_without_it():
    assert _outcome("watched.forget(); print('done', flush=True)") == (0, ["done"])


def test_a_signal_that_is_ignored_stays_so():
    nohup = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    work = _KILL.format(name="SIGHUP") + "; print('goes on', flush=True); watched.forget()"
    assert _outcome(work, before=nohup) == (0, ["goes on"])


def test_a_forked_worker_only_dies():
    work = (
        "child = os.fork()\n"
        "if child == 0:\n    " + _KILL.format(name="SIGTERM") + "\n"
        "print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True); watched.forget()"
    )
    assert _outcome(work) == (0, [str(int(signal.SIGTERM))])


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """As in a terminal: shells start what is in the background with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_waits_until_what_must_not_be_cut_is_done():
    done = []
    with pytest.raises(KeyboardInterrupt), Interruption(lambda _: None).put_off():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # in which it would have come
        done.append("written")
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_that_was_put_off_is_obeyed_also_where_the_work_fails():
    with pytest.raises(KeyboardInterrupt), Interruption(lambda _: None).put_off():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        raise ValueError("a database that another process locks")
