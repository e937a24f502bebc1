"""What a run on Ray does beside the work: it stops when nobody listens, goes on later, and tells what is wrong."""

from __future__ import annotations

import signal
import socket
import sys
import time
from itertools import islice

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors import ray_cluster, ray_executor
from retrieval_vs_diffusion.executors.ray_cluster import connect, disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.models.cost_meter import CostMeter
from retrieval_vs_diffusion.unfinished import Section
from tests.executors.light_work import Squares, squares, units_of

pytestmark = pytest.mark.ray
ONE = RaySettings(most_actors=1)


def test_what_nobody_waits_for_ends_and_nothing_is_made_twice(cluster, tmp_path):
    import ray

    work, kept = Squares(tmp_path / "log", seconds=0.05), Section(tmp_path / "units")
    executor = RayExecutor(ONE, cluster.address)
    begun = executor.run(work, units_of(200), kept, "squaring")
    assert list(islice(begun, 20)) == squares(20)
    begun.close()
    ended_by = time.monotonic() + 20
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"] and time.monotonic() < ended_by:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == ray.cluster_resources()["CPU"]  # the actor is gone
    assert len(work.tries()) < 150
    with CostMeter("cpu") as meter:
        assert list(executor.run(work, units_of(200), kept, "squaring")) == squares(200)
    again = [number for number in range(200) if work.tries().count(number) > 1]
    assert len(again) <= 1  # the one that was in the making
    assert meter.seconds > 0.05 * 50  # what the actor spent, of which this process saw nothing but files


def test_an_error_of_the_work_comes_with_its_own_words_and_what_was_done_stays(cluster, tmp_path):
    units, kept = units_of(6), Section(tmp_path / "units")
    executor = RayExecutor(ONE, cluster.address)
    work = Squares(tmp_path / "log", deadly=4, error=UserError("images/4.png: not a whole image; bring it again"))
    with pytest.raises(UserError, match=r"^images/4\.png: not a whole image; bring it again$"):
        list(executor.run(work, units, kept, "squaring"))
    assert list(executor.run(work, units, kept, "squaring")) == squares(6)
    assert work.tries()[:5] == [0, 1, 2, 3, 4]
    assert all(work.tries().count(number) == 1 for number in range(4))


def test_a_folder_that_the_workers_do_not_see_is_told(cluster, tmp_path, monkeypatch):
    marked = ray_executor._marked
    monkeypatch.setattr(ray_executor, "_marked", lambda kept: f"not {marked(kept)}")  # as another folder of that name
    run = RayExecutor(ONE, cluster.address).run(
        Squares(tmp_path / "log"), units_of(3), Section(tmp_path / "u"), "squaring"
    )
    with pytest.raises(UserError, match=r"/u: the worker of Ray at 127.0.0.1 does not see this folder; the project's"):
        list(run)


def test_a_cluster_of_another_version_is_told(cluster, monkeypatch):
    import ray

    disconnect()
    monkeypatch.setattr(ray, "__version__", "2.1.0")
    with pytest.raises(UserError, match=r"ray.address: the cluster at .* is of other versions: .*2\.1\.0"):
        connect(ONE, cluster.address)


def test_no_cluster_at_the_address_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UserError, match=rf"ray.address: no cluster answers at 127.0.0.1:{port} \(.*refused\); start"):
        connect(ONE, f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=r'ray.address: found "here"; host:port, auto or null will do'):
        connect(ONE, "here")


def test_what_answers_and_is_no_cluster_is_told_within_seconds(monkeypatch):
    disconnect()
    monkeypatch.setattr(ray_cluster, "_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UserError, match=r"ray.address: no cluster answers at .* \(timed out\); start"):
            connect(ONE, address)


def test_signals_are_dealt_with_as_before(cluster):
    disconnect()
    before = signal.signal(signal.SIGTERM, ignored := lambda number, frame: None)
    try:
        connect(ONE, cluster.address)
        assert signal.getsignal(signal.SIGTERM) is ignored
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ray_that_is_not_installed_is_told(monkeypatch):
    disconnect()
    for name in [name for name in sys.modules if name == "ray" or name.startswith("ray.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])  # nothing that is not loaded can be imported
    told = r"execution: ray needs Ray, which is not installed; `pip install 'retrieval_vs_diffusion\[ray\]'` will do"
    with pytest.raises(UserError, match=told):
        connect(ONE, "127.0.0.1:1")
    with pytest.raises(UserError, match=told), own_cluster(ONE):
        pass
