"""Workers and machines of a cluster die in the middle; the job ends whole, or the next run ends it."""

from __future__ import annotations

import threading
import time

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.unfinished import Section
from tests.executors.light_work import Squares, squares, units_of

pytestmark = pytest.mark.ray


def test_a_worker_is_killed_in_the_middle(cluster, tmp_path):
    work = Squares(tmp_path / "log", deadly=8)
    executor = RayExecutor(RaySettings(most_actors=1), cluster.address)
    made = executor.run(work, units_of(24), Section(tmp_path / "units"), "squaring")  # tasks of six
    assert list(made) == squares(24)
    assert sorted(work.tries()) == sorted([*range(24), 8])  # 6 and 7, of the same task, were kept


def test_a_machine_is_killed_in_the_middle(cluster, second_machine, tmp_path):
    work = Squares(tmp_path / "log", seconds=0.2)
    executor = RayExecutor(RaySettings(), cluster.address)  # three actors: one of the two machines has two

    def kill_the_machine_when_it_works():
        while second_machine.node_id not in work.machines():
            time.sleep(0.05)
        cluster.remove_node(second_machine, allow_graceful=False)

    killer = threading.Thread(target=kill_the_machine_when_it_works)
    killer.start()
    assert list(executor.run(work, units_of(60), Section(tmp_path / "units"), "squaring")) == squares(60)
    killer.join()
    assert len(cluster.worker_nodes) == 0
    assert len(work.tries()) <= 60 + 3  # what the dead actors had begun


def test_a_worker_that_dies_again_and_again_ends_the_run_and_the_next_one_ends_the_work(cluster, tmp_path):
    units, kept = units_of(12), Section(tmp_path / "units")
    executor = RayExecutor(RaySettings(most_actors=1), cluster.address)
    work = Squares(tmp_path / "log", deadly=9, times=4)  # the first try and three restarts
    with pytest.raises(UserError, match=r"workers of Ray died again and again .* run the command again"):
        list(executor.run(work, units, kept, "squaring"))
    done = {number for number in range(9) if list(kept.folder.glob(f"{number:06d}.*"))}
    assert done
    assert list(executor.run(work, units, kept, "squaring")) == squares(12)
    assert [number for number in done if work.tries().count(number) > 1] == []
