"""A process's lock tells whether it lives."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time

from retrieval_vs_diffusion import running_process
from retrieval_vs_diffusion.running_process import RunningProcess
from tests.elsewhere import HOST, start_elsewhere

_SLEEPER = """
import sys, time
from pathlib import Path
from retrieval_vs_diffusion.running_process import RunningProcess
print(RunningProcess(Path(sys.argv[1])).name, flush=True)
time.sleep(60)
"""


def test_another_process_lives_until_it_is_killed(tmp_path):
    asking = RunningProcess(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", _SLEEPER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    name = other.stdout.readline().strip()
    assert asking.lives(name)
    assert asking.lives(name)  # asking does not end it
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert not asking.lives(name)
    assert not (tmp_path / name).exists()
    asking.end()


def test_a_process_lives_until_it_gives_its_name_up(tmp_path):
    first, second = RunningProcess(tmp_path), RunningProcess(tmp_path)  # as two runs in one notebook
    assert first.name != second.name
    assert second.lives(first.name)
    first.end()
    assert not second.lives(first.name)
    assert second.lives(second.name)
    second.end()
    assert list(tmp_path.iterdir()) == []


def test_forked_workers_do_not_keep_a_killed_process_alive(tmp_path):
    asking, context = RunningProcess(tmp_path), multiprocessing.get_context("fork")
    said, saying = context.Pipe(duplex=False)
    other = context.Process(target=_fork_and_wait, args=(tmp_path, saying))
    other.start()
    name, worker = said.recv()
    assert asking.lives(name)
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    try:
        os.kill(worker, 0)  # it is still there
        assert not asking.lives(name)
    finally:
        os.kill(worker, signal.SIGKILL)
        asking.end()


def _fork_and_wait(folder, saying):
    process = RunningProcess(folder)
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
    saying.send((process.name, worker))
    time.sleep(60)


def test_a_name_that_was_never_there_does_not_live(tmp_path):
    asking = RunningProcess(tmp_path)
    assert not asking.lives("elsewhere-1-abcdef")
    asking.end()


def test_a_process_of_another_host_lives_though_none_of_its_number_does_here(tmp_path):
    asking = RunningProcess(tmp_path)
    other, name = start_elsewhere(_SLEEPER, tmp_path)
    assert name.startswith(f"{HOST}-1-")
    assert asking.lives(name)
    other.kill()
    other.wait()
    until = time.monotonic() + 20  # the kernel ends a namespace a moment after its first process
    while asking.lives(name) and time.monotonic() < until:
        time.sleep(0.02)
    assert not asking.lives(name)
    asking.end()


def test_where_a_file_system_keeps_no_locks_nobody_is_taken_for_dead(tmp_path, monkeypatch):
    def unsupported(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(running_process.fcntl, "lockf", unsupported)
    asking = RunningProcess(tmp_path)
    (tmp_path / "elsewhere-1-abcdef").touch()
    assert asking.lives("elsewhere-1-abcdef")
    asking.end()
