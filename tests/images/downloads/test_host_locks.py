import multiprocessing
import time
from contextlib import closing

import httpx
import pytest

from retrieval_vs_diffusion.images.downloads import host_locks, turns
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.host_locks import HostLocks
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from tests.images.downloads.server import PNG, answer, quick

FORK = multiprocessing.get_context("fork")


def take_and_say(path, host, place, said):
    with closing(HostLocks(path)) as locks:
        said.put(locks.take(host, place))


def is_free(path, host="a.example", place=1) -> bool:
    said = FORK.Queue()
    other = FORK.Process(target=take_and_say, args=(path, host, place, said))
    other.start()
    other.join()
    return said.get()


def test_a_place_is_another_processs_until_it_is_given_back(tmp_path):
    with closing(HostLocks(tmp_path / "turns")) as locks:
        assert locks.take("a.example", 1)
        assert locks.take("a.example", 1)  # for this process it is the same
        assert not is_free(tmp_path / "turns")
        assert is_free(tmp_path / "turns", place=2)
        assert is_free(tmp_path / "turns", host="b.example")
        locks.give_back("a.example", 1)
        assert is_free(tmp_path / "turns")
        locks.take("a.example", 1)
    assert is_free(tmp_path / "turns")
    assert (tmp_path / "turns").stat().st_size == 0


def test_a_file_system_without_locks_is_told_of_and_work_goes_on(tmp_path, monkeypatch, caplog):
    def without(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(host_locks.fcntl, "lockf", without)
    with closing(HostLocks(tmp_path / "turns")) as locks:
        assert locks.take("a.example", 1)
        assert locks.take("a.example", 2)
        locks.give_back("a.example", 1)
    assert len(caplog.messages) == 1
    assert "cannot be locked (No locks available); limits a host hold in each process alone" in caplog.text


def bring(folder, urls, settings):
    DownloadStore(folder).bring(dict.fromkeys(urls), Fetcher(settings))


@pytest.mark.parametrize(("per_host", "seconds_between"), [(2, 0.0), (8, 0.05)])
def test_processes_keep_a_hosts_limits_together(web, tmp_path, per_host, seconds_between):
    began = []

    def counted(request):
        with web.counted_at("here"):
            began.append(time.monotonic())
            time.sleep(0.02)
        answer(request, 200, PNG)

    urls = [[web.add(f"{process}/{number}", counted) for number in range(10)] for process in range(3)]
    settings = quick(per_host=per_host, seconds_between=seconds_between)
    processes = [FORK.Process(target=bring, args=(tmp_path, each, settings)) for each in urls]
    started = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    assert len(began) == 30
    assert web.most_at_once_of["here"] <= per_host
    assert max(began) - started >= 29 * seconds_between  # each of 30 begins so long after the one before


def keep_all(path, host, ready, end):
    with closing(HostLocks(path)) as locks:
        locks.take(host, 0)
        locks.take(host, 1)
        ready.set()
        end.wait()


def test_places_that_a_dead_machine_keeps_hold_nobody_up_for_ever(web, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(turns, "_SECONDS_OF_PATIENCE", 0.2)
    url = web.add("a", PNG)
    ready, end = FORK.Event(), FORK.Event()
    other = FORK.Process(target=keep_all, args=(tmp_path / ".turns", httpx.URL(url).host, ready, end))
    other.start()
    ready.wait()
    try:
        bring(tmp_path, [url], quick(per_host=1))
    finally:
        end.set()
        other.join()
    assert next((tmp_path / "00000").glob("*.png")).read_bytes() == PNG
    assert [each for each in caplog.messages if "a machine died that had them; going on" in each] == caplog.messages[:1]
