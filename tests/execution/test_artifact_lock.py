"""One process holds a lock at a time; a dead one holds none."""

from __future__ import annotations

import errno
import fcntl
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution import artifact_lock
from retrieval_vs_diffusion.execution.artifact_lock import ArtifactLock, alone_with
from tests.elsewhere import HOST, start_elsewhere

_HOLDER = """
import sys, time
from pathlib import Path
from retrieval_vs_diffusion.execution.artifact_lock import ArtifactLock
lock = ArtifactLock(Path(sys.argv[1]))
print(lock.take("embed_pool"), flush=True)
time.sleep(60)
"""


def other_process(artifact) -> subprocess.Popen:
    other = subprocess.Popen([sys.executable, "-c", _HOLDER, str(artifact)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline().strip() == "True"
    return other


def test_what_another_process_holds_is_not_taken_and_its_holder_is_named(tmp_path):
    other, lock = other_process(tmp_path / "images"), ArtifactLock(tmp_path / "images")
    try:
        assert not lock.take("me")
        assert f"process {other.pid} on " in lock.holder()
        assert lock.holder().endswith(": embed_pool")
        assert not lock.take("me")  # asking did not end the other's lock
        assert ArtifactLock(tmp_path / "others").take("another artifact")
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("quiet", [False, True])
def test_being_alone_with_an_artifact_waits_for_who_was_first(tmp_path, caplog, quiet):
    other = other_process(tmp_path / "comparison")
    threading.Timer(0.2, other.kill).start()
    with caplog.at_level("INFO"), alone_with(tmp_path / "comparison", "comparing rows", quiet):
        assert other.wait() == -signal.SIGKILL
        assert (tmp_path / ".comparison.lock").exists()
    told = [line.partition(": ")[0] for line in caplog.messages]
    assert told == ([] if quiet else ["comparing rows waits for another run"])
    assert not (tmp_path / ".comparison.lock").exists()


def test_the_lock_of_a_killed_process_is_taken_over_at_once(tmp_path):
    other, lock = other_process(tmp_path / "images"), ArtifactLock(tmp_path / "images")
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / ".images.lock").exists()  # nobody tidied up
    assert lock.take("me")
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_given_back_can_be_taken_by_who_waited_with_its_file_open(tmp_path, monkeypatch):
    first, second = ArtifactLock(tmp_path / "images"), ArtifactLock(tmp_path / "images")
    assert first.take("first")
    lockf, opened = fcntl.lockf, []

    def released_just_now(file, how):
        if not opened:  # between the second's opening and its locking the first gives back, and removes the file
            opened.append(True)
            first.release()
        lockf(file, how)

    monkeypatch.setattr(artifact_lock.fcntl, "lockf", released_just_now)
    assert second.take("second")
    assert (tmp_path / ".images.lock").exists()  # of the second: others see it


def test_a_given_back_lock_that_is_still_seen_under_its_name_is_not_taken(tmp_path, monkeypatch):
    """As on a folder that machines share, where one goes on seeing for some seconds what the other has removed."""
    first, second = ArtifactLock(tmp_path / "images"), ArtifactLock(tmp_path / "images")
    assert first.take("first")
    is_at, lockf, seen = artifact_lock._is_at, fcntl.lockf, []

    def released_just_now(file, how):
        if not seen:
            first.release()
        lockf(file, how)

    def remembered(path, file):
        seen.append(is_at(path, file))
        return True

    monkeypatch.setattr(artifact_lock.fcntl, "lockf", released_just_now)
    monkeypatch.setattr(artifact_lock, "_is_at", remembered)
    assert second.take("second")
    assert seen == [True]  # the file that was removed was told by what it holds, before its name was asked for
    assert is_at(tmp_path / ".images.lock", second._file)


def test_a_file_that_another_machine_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    lockf, stale = fcntl.lockf, [OSError(errno.ESTALE, "Stale file handle")]

    def removed(file, how):
        if stale:
            raise stale.pop()
        lockf(file, how)

    monkeypatch.setattr(artifact_lock.fcntl, "lockf", removed)
    lock = ArtifactLock(tmp_path / "images")
    assert lock.take("me")
    assert lock._file is not None  # not as on a file system without locks


def test_a_file_server_that_fails_is_a_line_and_no_lock(tmp_path, monkeypatch):
    def fails(file, how):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(artifact_lock.fcntl, "lockf", fails)
    with pytest.raises(UserError, match=r"images\.lock: cannot be locked \(Input/output error\)"):
        ArtifactLock(tmp_path / "images").take("me")


def test_a_process_of_another_host_holds_its_lock_until_it_ends_whatever_its_number(tmp_path, caplog):
    """Its number, 1, is that of a process which lives here, and its name says nothing here."""
    other, taken = start_elsewhere(_HOLDER, tmp_path / "images")
    lock = ArtifactLock(tmp_path / "images")
    try:
        assert taken == "True"
        assert not lock.take("me")
        assert f"process 1 on {HOST}, " in lock.holder()
    finally:
        other.kill()
        other.wait()
    assert _in_time(lambda: lock.take("me"))  # though process 1 of this machine lives
    (line,) = caplog.messages
    assert f"was left locked by process 1 on {HOST}; if that still runs" in line
    lock.release()
    assert ArtifactLock(tmp_path / "images").take("me")
    assert len(caplog.messages) == 1  # of what was given back nothing is told


def _in_time(holds) -> bool:
    """The kernel ends a namespace a moment after its first process."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_forked_workers_do_not_keep_the_lock_of_a_killed_process(tmp_path):
    context = multiprocessing.get_context("fork")
    said, saying = context.Pipe(duplex=False)

    def hold_and_fork():
        ArtifactLock.held = lock = ArtifactLock(tmp_path / "images")
        lock.take("parent")
        worker = os.fork()
        if worker == 0:
            time.sleep(60)
        saying.send(worker)
        time.sleep(60)

    parent = context.Process(target=hold_and_fork)
    parent.start()
    worker = said.recv()
    try:
        assert not ArtifactLock(tmp_path / "images").take("me")
        os.kill(parent.pid, signal.SIGKILL)
        parent.join()
        os.kill(worker, 0)  # it lives
        assert ArtifactLock(tmp_path / "images").take("me")
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_file_system_without_locks_is_told_of_once_and_work_goes_on(tmp_path, monkeypatch, caplog):
    def unsupported(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(artifact_lock.fcntl, "lockf", unsupported)
    monkeypatch.setattr(artifact_lock, "_told", set())
    with caplog.at_level(logging.WARNING):
        assert ArtifactLock(tmp_path / "one").take("me")
        assert ArtifactLock(tmp_path / "two").take("me")
    (line,) = caplog.messages
    assert "No locks available" in line
    assert "run one command at a time" in line
