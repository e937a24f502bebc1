"""Copies of remote files: whole or absent, of the version that was listed, bounded, and one for all processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import pytest

from retrieval_vs_diffusion import least_recently_used
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote import cache as cache_module
from retrieval_vs_diffusion.remote.cache import RemoteCache, current_cache
from retrieval_vs_diffusion.remote.leases import NAME, Leases
from retrieval_vs_diffusion.remote.listing import forget_listings
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.remote.store import Stored, fetch


@pytest.fixture
def fetched(monkeypatch):
    """Addresses of what was fetched, in order."""
    addresses: list[str] = []

    def counting(address, file):
        addresses.append(address)
        fetch(address, file)

    monkeypatch.setattr(cache_module, "fetch", counting)
    return addresses


def copies(folder):
    return sorted(file.name for file in folder.glob("??/*"))


def test_a_file_is_fetched_once_and_again_when_it_has_changed(bucket, remote_cache, fetched):
    bucket.put("a.txt", b"one")
    path = as_path(bucket.address("a.txt"))
    assert (path.read_bytes(), path.read_bytes(), len(fetched)) == (b"one", b"one", 1)
    bucket.put("a.txt", b"two")  # as long as before
    assert (path.read_bytes(), len(fetched)) == (b"one", 1)  # of one command: what it found at its start
    forget_listings()
    assert (path.read_bytes(), len(fetched)) == (b"two", 2)


def test_a_copy_that_is_cut_off_is_fetched_again(bucket, remote_cache, fetched):
    bucket.put("b.bin", b"0123456789")
    path = as_path(bucket.address("b.bin"))
    os.truncate(os.fspath(path), 4)
    assert (path.read_bytes(), len(fetched)) == (b"0123456789", 2)


def test_what_breaks_off_leaves_nothing_that_looks_whole(bucket, remote_cache, monkeypatch):
    bucket.put("c.bin", b"0123456789")
    path = as_path(bucket.address("c.bin"))

    def breaks_off(address, file):
        file.write_bytes(b"01234")
        raise UserError("the connection broke")

    monkeypatch.setattr(cache_module, "fetch", breaks_off)
    with pytest.raises(UserError, match="the connection broke"):
        path.read_bytes()
    assert copies(remote_cache) == []
    monkeypatch.setattr(cache_module, "fetch", fetch)
    assert path.read_bytes() == b"0123456789"


@pytest.mark.parametrize("content", [b"0123", b"9876543210"])  # shorter, and of the same length
def test_an_object_that_changes_between_listing_and_fetching_is_told(bucket, remote_cache, content):
    bucket.put("d.bin", b"0123456789")
    path = as_path(bucket.address("d.bin"))
    assert path.is_file()
    bucket.put("d.bin", content)
    with pytest.raises(UserError, match=r"d\.bin: has changed while it was read; run the same command again"):
        path.read_bytes()
    assert copies(remote_cache) == []


def test_an_object_that_vanishes_is_told(bucket, remote_cache):
    bucket.put("e.bin", b"0123456789")
    path = as_path(bucket.address("e.bin"))
    assert path.is_file()
    bucket.delete("e.bin")
    with pytest.raises(UserError, match=r"e\.bin: is not there \(any more\)"):
        path.read_bytes()


def test_a_file_sent_in_parts_is_checked_by_asking_again(bucket, remote_cache):
    part = b"x" * 5 * 2**20  # S3 takes no smaller one but the last
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="f.bin")["UploadId"]
    about = {"Bucket": bucket.name, "Key": "f.bin", "UploadId": upload}
    tags = [
        {"PartNumber": number, "ETag": bucket.client.upload_part(Body=body, PartNumber=number, **about)["ETag"]}
        for number, body in ((1, part), (2, b"end"))
    ]
    bucket.client.complete_multipart_upload(MultipartUpload={"Parts": tags}, **about)
    path = as_path(bucket.address("f.bin"))
    assert path.stored().version.endswith("-2")  # no MD5 of its content
    assert path.read_bytes() == part + b"end"


def test_what_was_not_used_for_longest_goes_and_what_is_in_use_stays(bucket, tmp_path, monkeypatch):
    for name in "abcd":
        bucket.put(f"sizes/{name}", name.encode() * 1000)
    monkeypatch.setattr("retrieval_vs_diffusion.remote.leases.LATEST", 1)  # only the last one counts as being opened
    cache = RemoteCache(tmp_path, at_most=3500)

    def asked_for(name, kept=False):
        stored = Stored(1000, hashlib.md5(name.encode() * 1000).hexdigest())
        return cache.file(bucket.address(f"sizes/{name}"), stored, kept)

    places = {name: asked_for(name, kept=name == "a") for name in "abc"}
    for age, name in enumerate("abc"):
        os.utime(places[name], ns=(age, age))
    places["d"] = asked_for("d")
    # 3 x 1000 and 1000 more are above 3500; a is kept, b is the oldest but it. 3000 is below 0.9 x 3500 = 3150.
    assert {name for name, place in places.items() if place.exists()} == {"a", "c", "d"}


def test_what_another_process_uses_stays_and_what_it_used_is_free_when_it_has_ended(tmp_path):
    name = "f" * NAME
    program = (
        "import sys; from pathlib import Path; from retrieval_vs_diffusion.remote.leases import Leases\n"
        f"Leases(Path(sys.argv[1])).add('{name}'); print('ready', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert other.stdout.readline() == "ready\n"
    mine = Leases(tmp_path)
    mine.add("a" * NAME)
    assert mine.in_use() == {"f" * NAME, "a" * NAME}
    other.kill()
    other.communicate()
    assert mine.in_use() == {"a" * NAME}
    assert len(list(tmp_path.glob("*.using"))) == 1  # the dead one's is gone


def test_a_file_larger_than_the_cache_is_told(bucket, tmp_path):
    bucket.put("large.bin", b"x" * 2000)
    bucket.put("small.bin", b"x" * 900)
    cache = RemoteCache(tmp_path, at_most=1000)
    small = Stored(900, hashlib.md5(b"x" * 900).hexdigest())
    RemoteCache(tmp_path, at_most=1000).file(bucket.address("small.bin"), small)
    with pytest.raises(
        UserError, match=r"large\.bin: 2e-06 GB, but the cache .* may hold 1e-06 GB.*remote\.at_most_gb"
    ):
        cache.file(bucket.address("large.bin"), Stored(2000, "x"))
    assert len(copies(tmp_path)) == 1  # nothing is removed for what has no room anyway


def test_a_disk_without_room_is_told_before_it_is_full(bucket, tmp_path, monkeypatch):
    bucket.put("g.bin", b"x" * 2000)
    usage = least_recently_used.shutil._ntuple_diskusage(total=100_000, used=97_000, free=3_000)
    monkeypatch.setattr(
        least_recently_used.shutil, "disk_usage", lambda _: usage
    )  # 2000 + 2 % of 100,000 are above 3000
    cache = RemoteCache(tmp_path, at_most=10_000)
    with pytest.raises(UserError, match=r"g\.bin: 2e-06 GB, for which the disk of .* has no room"):
        cache.file(bucket.address("g.bin"), Stored(2000, "x"))


def test_threads_and_processes_that_want_one_file_fetch_it_once(bucket, remote_cache, fetched):
    bucket.put("h.bin", b"y" * 200_000)
    path = as_path(bucket.address("h.bin"))
    path.is_file()
    read: list[bytes] = []
    threads = [threading.Thread(target=lambda: read.append(path.read_bytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(each) for each in read} == {200_000}
    assert (len(read), len(fetched)) == (8, 1)


def test_two_processes_that_want_one_file_both_get_it_whole(bucket, remote_cache):
    bucket.put("i.bin", bytes(range(256)) * 4000)
    program = (
        "import sys, hashlib; from pathlib import Path\n"
        "from retrieval_vs_diffusion.remote.settings import Remote, use\n"
        "from retrieval_vs_diffusion.remote.remote_path import as_path\n"
        "use(Remote(folder=sys.argv[1]), Path('/')); sys.stdin.readline()\n"
        "print(hashlib.sha256(as_path(sys.argv[2]).read_bytes()).hexdigest())"
    )
    command = [sys.executable, "-c", program, str(remote_cache), bucket.address("i.bin")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for each in both:
        each.stdin.write("go\n")
        each.stdin.flush()
    said = {each.communicate()[0].strip() for each in both}
    assert said == {hashlib.sha256(bytes(range(256)) * 4000).hexdigest()}
    assert len(copies(remote_cache)) == 1


def test_no_name_in_a_bucket_decides_where_its_copy_lies(bucket, remote_cache):
    for key in ("n/..\\..\\x", "n/ \t.png", "n/CON", "n/-rf", "n/a/../b"):
        bucket.put(key, b"x")
    files = [path for path in as_path(bucket.address("n")).rglob("*") if path.read_bytes() == b"x"]
    assert len(files) == 4  # all but the one that climbs
    assert len(copies(remote_cache)) == 4
    assert all(len(name.split(".")[0]) == NAME for name in copies(remote_cache))
    assert {each.name for each in remote_cache.parent.iterdir()} == {"remote-cache"}


def test_a_folder_that_cannot_be_written_to_is_told(bucket, tmp_path):
    bucket.put("j.bin", b"x")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .*remote\.folder"):
        RemoteCache(tmp_path / "file", 1000).file(bucket.address("j.bin"), Stored(1, "x"))


def test_a_forked_process_has_locks_and_leases_of_its_own(remote_cache):
    mine = current_cache()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b"other" if current_cache() is not mine else b"same!")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 5) == b"other"
    assert current_cache() is mine
