"""What is downloaded is the same whoever downloads it, with the limits of a host kept by all together."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.models.cost_meter import CostMeter
from tests.images.downloads.names import DEADLY, Names
from tests.images.downloads.server import PNG, answer, encoded, quick, redirect, serve

pytestmark = pytest.mark.ray


@pytest.fixture
def web():
    with serve() as running:
        yield running


def addresses(web, hosts: int, of_each: int, page: Callable[[str], object]) -> dict[str, str]:
    """Addresses of several hosts, mixed, with their captions."""
    port = web.address.rpartition(":")[2]
    urls = {}
    for number in range(of_each):
        for host in range(hosts):
            path = f"{host}/{number}"
            web.pages[path] = page(path)
            urls[f"http://host{host}.example:{port}/{path}"] = f"caption {path}"
    return urls


def contents(folder: Path) -> dict[str, object]:
    """All that is kept, but for the seconds that it took."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            found[path.name] = pq.read_table(path).to_pylist()
        elif path.is_file() and not path.name.endswith("_stats.json"):
            found[str(path.relative_to(folder))] = path.read_bytes()
        else:
            found[str(path.relative_to(folder))] = None
    return found


def bring(folder: Path, urls: dict[str, str], names: Names, **changes):
    return DownloadStore(folder).bring(urls, Fetcher(quick(**changes), names))


def test_one_machine_brings_what_this_process_brings(cluster, web, tmp_path):
    pages = (PNG, encoded("JPEG"), encoded("WEBP"), b"<html></html>", None, redirect("/0/0"))
    urls = addresses(web, 60, 4, lambda path: pages[sum(map(int, path.split("/"))) % len(pages)])
    urls["ftp://a.example/"] = None
    web.pages["0/0"] = PNG
    found = bring(tmp_path / "here", urls, Names(tmp_path / "log"), per_host=1)
    asked = dict(web.asked)
    web.asked.clear()
    names, began = Names(tmp_path / "log there"), time.perf_counter()
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)), CostMeter("cpu") as meter:
        found_there = bring(tmp_path / "there", urls, names, per_host=1)
    elapsed = time.perf_counter() - began
    assert web.asked == asked
    assert {each.reason for each in found.values()} == {
        *(None, "dead: no image", "dead: 404", "dead: refused a ftp address")
    }
    relative = [
        [(each.path and each.path.relative_to(folder), each.reason) for each in those.values()]
        for folder, those in ((tmp_path / "here", found), (tmp_path / "there", found_there))
    ]
    assert relative[0] == relative[1]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(list((tmp_path / "there").glob("*.parquet"))) == 3  # of 241 addresses, each at most 100
    assert not set(names.processes()) & set(Names(tmp_path / "log").processes())
    assert 0 < meter.seconds < elapsed  # the actor's work counts, and waiting for it and for its start does not


def test_machines_of_a_cluster_keep_a_hosts_limits_together(cluster, second_machine, web, tmp_path, monkeypatch):
    def counted(request) -> None:
        while len(names.processes()) == 1:  # no actor is done before another begins
            time.sleep(0.05)
        with web.counted_at(request.headers["Host"].partition(":")[0]):
            time.sleep(0.02)
        answer(request, 200, PNG)

    port = web.address.rpartition(":")[2]
    monkeypatch.setattr("retrieval_vs_diffusion.images.downloads.shares._SMALLEST", 10)
    urls = addresses(web, 20, 4, lambda path: redirect(f"http://shared.example:{port}/{path}/there"))
    for number, host in itertools.product(range(4), range(20)):
        web.pages[f"{host}/{number}/there"] = counted
    names = Names(tmp_path / "log")
    with executed_by(RayExecutor(RaySettings(), cluster.address)):
        found = bring(tmp_path / "there", urls, names, per_host=2, timeout=60.0)
    assert len(names.processes()) > 1
    assert {each.reason for each in found.values()} == {None}
    assert web.most_at_once_of == {"shared.example": 2}
    assert web.most_of_a_connection == 1  # so there are no more connections than downloads
    assert sum(web.asked.values()) == 2 * 80
    bring(tmp_path / "here", urls, Names(tmp_path / "log here"), per_host=2)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_actor_is_killed_in_the_middle_of_a_shard(cluster, web, tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval_vs_diffusion.images.downloads.shares.LARGEST", 4)
    urls = addresses(web, 1, 12, lambda path: PNG)  # one after the other: three shards of one share
    web.pages["0/6"] = redirect(f"http://{DEADLY}:{web.address.rpartition(':')[2]}/0/7")
    folder = tmp_path / "there"
    names = Names(tmp_path / "log", before_death=folder / "00000.parquet")
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)):
        found = bring(folder, urls, names, per_host=1)
    assert len(names.processes()) == 2
    assert all(each.path.read_bytes() == PNG for each in found.values())
    assert [web.asked[f"0/{number}"] for number in range(7)] == [1, 1, 1, 1, 2, 2, 2]
    assert sorted(path.name for path in folder.iterdir() if path.suffix == "") == [
        *(".running", ".turns", "00000", "00001", "00002")
    ]
    assert list((folder / ".running").iterdir()) == []
    bring(tmp_path / "here", urls, names, per_host=1)
    assert contents(folder) == contents(tmp_path / "here")


def test_addresses_of_a_private_network_are_refused_by_actors_too(cluster, web, tmp_path):
    urls = {web.add("a", PNG): None, "http://169.254.169.254/latest/meta-data/": None, "file:///etc/passwd": None}
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)):
        found = DownloadStore(tmp_path / "there").bring(urls, Fetcher(Downloads()))
    assert [each.reason for each in found.values()] == [
        *["dead: refused a private address"] * 2,
        "dead: refused a file address",
    ]
    assert not web.asked
