"""Files are fetched ahead of their turn, a bounded number of them, and faults come in order."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.ahead import fetched_ahead
from retrieval_vs_diffusion.remote.remote_path import as_path


def fetched(folder) -> int:
    return len(list(folder.glob("??/*")))


def test_the_first_comes_before_all_are_fetched(bucket, remote_cache):
    for number in range(6):
        bucket.put(f"shards/{number}.tar", b"%d" % number)
    asked = []
    found = sorted(as_path(bucket.address("shards")).iterdir())
    shards = fetched_ahead(asked.append(shard) or shard for shard in found)
    assert next(shards).read_bytes() == b"0"
    assert asked == found[:2]
    shards.close()
    assert fetched(remote_cache) in (1, 2)  # the next one may be fetched by now, no other
    read = [shard.read_bytes() for shard in fetched_ahead(sorted(as_path(bucket.address("shards")).iterdir()))]
    assert read == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_what_goes_wrong_with_one_is_raised_when_its_turn_comes(bucket, remote_cache):
    for number in range(4):
        bucket.put(f"vanishing/{number}.png", b"x")
    files = sorted(as_path(bucket.address("vanishing")).iterdir())
    bucket.delete("vanishing/2.png")
    came = []
    with pytest.raises(UserError, match=r"vanishing/2\.png: is not there"):
        came.extend(fetched_ahead(files, at_once=4))
    assert came == [] or came == files[:2]
    got = fetched_ahead(files, at_once=4)
    assert [next(got), next(got)] == files[:2]
    with pytest.raises(UserError):
        next(got)


def test_local_items_come_as_they_are_and_none_ahead(tmp_path):
    asked = []

    def items():
        for number in range(3):
            asked.append(number)
            yield tmp_path / str(number)

    ahead = fetched_ahead(items(), at_once=16)
    assert next(ahead) == tmp_path / "0"
    assert asked == [0]


def test_remote_items_among_local_ones_keep_the_order(bucket, remote_cache, tmp_path):
    bucket.put("mixed.txt", b"x")
    items = [tmp_path / "a", as_path(bucket.address("mixed.txt")), tmp_path / "b", tmp_path / "c"]
    assert list(fetched_ahead(items, at_once=2)) == items
