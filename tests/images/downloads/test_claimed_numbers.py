"""Numbers of shards belong to one process each, whoever died or was quicker."""

from __future__ import annotations

from retrieval_vs_diffusion.images.downloads.claimed_numbers import ClaimedNumbers
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.running_process import RunningProcess
from tests.images.downloads.server import quick


def test_a_number_that_another_process_was_quicker_to_claim_is_let_be(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: [])  # as if the other came after this one looked
    assert [ClaimedNumbers(tmp_path, 2).numbers for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_of_two_that_clear_a_dead_processs_remains_one_takes_its_number(tmp_path, monkeypatch):
    (tmp_path / "00000").mkdir()
    (tmp_path / ".00000.machine-1-dead.part").mkdir()
    lives, others = RunningProcess.lives, []

    def while_another_starts(process, name):
        alive = lives(process, name)
        if not others:  # the first one has seen that nobody has the number, and is about to give it up
            others.append("starts")
            others.append(ClaimedNumbers(tmp_path, 1))
        return alive

    monkeypatch.setattr(RunningProcess, "lives", while_another_starts)
    first = ClaimedNumbers(tmp_path, 1)
    assert (others[1].numbers, first.numbers) == ([0], [1])


def test_the_number_of_a_shard_without_images_is_not_given_again(web, tmp_path, monkeypatch):
    DownloadStore(tmp_path).bring({web.url("gone"): None}, Fetcher(quick()))
    (tmp_path / "00000").rmdir()
    monkeypatch.setattr(ClaimedNumbers, "_last", lambda _: -1)  # as it was listed before
    assert ClaimedNumbers(tmp_path, 1).numbers == [1]
