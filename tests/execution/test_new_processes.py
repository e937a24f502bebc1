"""Real processes: what they tell comes, what they raise is told, and none outlives the one that started it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.new_processes import run_together


def tell(rank, told, word):
    logging.getLogger("retrieval_vs_diffusion.x").info("process %d says %s", rank, word)
    told((rank, word))


def fail(rank, told, folder, error):
    """The second raises; the first is then told so by a library, which knows only that it lost another one."""
    if rank == 1:
        raise error
    wait_for(folder / "never", 0.5)
    raise ConnectionError("the other one is gone")


def be_killed(rank, told, folder):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    raise ConnectionError("the other one is gone")


def tell_its_id_and_stay(rank, told):
    told(os.getpid())
    time.sleep(600)


def wait_for(path: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not path.exists():
        time.sleep(0.05)
    return path.exists()


def are_gone(ids: list[int], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(psutil.pid_exists(each) and _runs(each) for each in ids):
        time.sleep(0.05)
    return not any(psutil.pid_exists(each) and _runs(each) for each in ids)


def _runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_they_tell_and_log_comes_here(caplog):
    caplog.set_level(logging.INFO, logger="retrieval_vs_diffusion")
    assert sorted(run_together(tell, 2, "yes")) == [(0, "yes"), (1, "yes")]
    lines = [record.getMessage() for record in caplog.records if record.name == "retrieval_vs_diffusion.x"]
    assert sorted(lines) == ["process 0 says yes", "process 1 says yes"]


def test_an_error_of_the_users_is_the_line_that_it_was(tmp_path):
    with pytest.raises(UserError, match=r"^lower the learning rate$"):
        list(run_together(fail, 2, tmp_path, UserError("lower the learning rate")))


def test_of_other_errors_the_first_is_told_with_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError: by zero \(in process 2 of 2\)$") as raised:
        list(run_together(fail, 2, tmp_path, ZeroDivisionError("by zero")))
    assert "raise error" in str(raised.value.__cause__)


def test_a_process_that_is_killed_is_told_in_a_line_and_not_what_follows_from_it(tmp_path):
    with pytest.raises(UserError, match=r"^process 2 of 2 was ended by SIGKILL, perhaps for want of memory; the same"):
        list(run_together(be_killed, 2, tmp_path))


def test_who_asks_no_further_ends_them_all():
    with closing(run_together(tell_its_id_and_stay, 2)) as told:
        ids = [next(told), next(told)]
        assert all(map(psutil.pid_exists, ids))
    assert are_gone(ids)


PARENT = """
import sys
from tests.execution.test_new_processes import tell_its_id_and_stay
from retrieval_vs_diffusion.execution.new_processes import run_together

if __name__ == "__main__":
    for told in run_together(tell_its_id_and_stay, 2):
        print(told, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_none_outlives_the_process_that_started_them(tmp_path, number):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    ) as parent:  # fmt: skip
        ids = [int(parent.stdout.readline()) for _ in range(2)]
        os.killpg(parent.pid, number) if number == signal.SIGINT else parent.send_signal(number)
        said = parent.communicate(timeout=60)[1]
    assert are_gone(ids)
    if number == signal.SIGINT:  # as Ctrl-C, which a terminal sends to all: only who was started by hand tells of it
        assert said.count("KeyboardInterrupt\n") == 1
