import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.downloads.claimed_numbers import ClaimedNumbers
from retrieval_vs_diffusion.images.downloads.fetcher import Fetched, Fetcher
from retrieval_vs_diffusion.images.downloads.shard import Shard
from retrieval_vs_diffusion.images.downloads.store import Download, DownloadStore
from retrieval_vs_diffusion.images.formats.img2dataset_files import Img2datasetFiles
from tests.images.downloads.server import PIXELS, PNG, encoded, in_turn, quick, slow, status

HTML = b"<!doctype html><html><body>Not found</body></html>"


def bring(folder, urls, **changes):
    return DownloadStore(folder).bring(dict.fromkeys(urls), Fetcher(quick(**changes)))


def claimed_shard(folder) -> Shard:
    claimed = ClaimedNumbers(folder, 1)
    return Shard(claimed.partial(claimed.numbers[0]), claimed.numbers[0], None)


def visible(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in (".running", ".turns"))


def test_a_call_makes_a_shard_as_img2dataset_lays_it_out(web, tmp_path):
    large = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    captions = {
        web.add("a.png", PNG): "a digit – näher",
        web.url("gone.jpg"): "gone",
        web.add("page.jpg", HTML): None,
        web.add("large.webp", encoded("WEBP", large)): None,
    }
    store = DownloadStore(tmp_path / "downloads")
    found = store.bring(captions, Fetcher(quick(short_side=75)))
    folder = store.folder
    assert visible(folder) == ["00000", "00000.parquet", "00000_stats.json"]
    assert sorted(path.name for path in (folder / "00000").iterdir()) == [
        "000000000.json",
        "000000000.png",
        "000000000.txt",
        "000000003.jpg",
        "000000003.json",
    ]
    assert found == {
        web.url("a.png"): Download(folder / "00000/000000000.png", None),
        web.url("gone.jpg"): Download(None, "dead: 404"),
        web.url("page.jpg"): Download(None, "dead: no image"),
        web.url("large.webp"): Download(folder / "00000/000000003.jpg", None),
    }
    assert (folder / "00000/000000000.png").read_bytes() == PNG
    assert (folder / "00000/000000000.txt").read_text(encoding="utf-8") == "a digit – näher"
    assert codec.decode((folder / "00000/000000003.jpg").read_bytes()).shape == (75, 100, 3)
    table = pq.read_table(folder / "00000.parquet").to_pylist()
    assert [row["key"] for row in table] == ["000000000", "000000001", "000000002", "000000003"]
    assert [row["url"] for row in table] == list(captions)
    assert [row["caption"] for row in table] == list(captions.values())
    assert [row["status"] for row in table] == ["success", "failed_to_download", "failed_to_resize", "success"]
    assert [row["error_message"] for row in table] == [None, "dead: 404", "dead: no image", None]
    assert [row["width"] for row in table] == [60, None, None, 100]
    assert [row["original_height"] for row in table] == [40, None, None, 90]
    assert table[0]["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert json.loads((folder / "00000/000000003.json").read_text()) == table[3]
    stats = json.loads((folder / "00000_stats.json").read_text())
    assert 0 < stats.pop("duration") < 60
    assert stats == {
        "count": 4,
        "successes": 2,
        "failed_to_download": 1,
        "failed_to_resize": 1,
        "status_dict": {"success": 2, "dead: 404": 1, "dead: no image": 1},
    }


def test_what_is_there_or_dead_is_not_asked_again(web, tmp_path):
    urls = [web.add("a", PNG), web.url("gone")]
    first = bring(tmp_path, urls)
    assert bring(tmp_path, urls) == first
    assert DownloadStore(tmp_path).find([*urls, web.url("new")]) == first
    assert web.asked == {"a": 1, "gone": 1}
    assert bring(tmp_path, [*urls, web.add("b", PNG)])[web.url("b")].path == tmp_path / "00001/000010000.png"
    assert web.asked == {"a": 1, "gone": 1, "b": 1}


def test_the_dead_are_asked_once_more_where_that_is_wished(web, tmp_path):
    web.add("a", in_turn(status(404), status(404), PNG))
    urls = {web.url("a"): None, web.url("gone"): None}
    bring(tmp_path, urls)
    again = DownloadStore(tmp_path, retry_dead=True)
    assert again.bring(urls, Fetcher(quick()))[web.url("a")].reason == "dead: 404"
    again.bring(urls, Fetcher(quick()))
    assert web.asked == {"a": 2, "gone": 2}
    third = DownloadStore(tmp_path, retry_dead=True).bring(urls, Fetcher(quick()))
    assert third[web.url("a")].path is not None
    assert DownloadStore(tmp_path).find(urls) == third


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_bytes_that_serve_are_kept(web, tmp_path, image_format):
    data = encoded(image_format)
    path = bring(tmp_path, [web.add("a", data)])[web.url("a")].path
    assert path.read_bytes() == data
    assert path.suffix == {"PNG": ".png", "JPEG": ".jpg"}[image_format]


@pytest.mark.parametrize("image_format", ["WEBP", "GIF", "BMP", "TIFF"])
def test_other_formats_become_jpeg(web, tmp_path, image_format):
    large = np.repeat(np.repeat(PIXELS[:, :, :1], 2, axis=1), 3, axis=2)
    path = bring(tmp_path, [web.add("a", encoded(image_format, large))])[web.url("a")].path
    assert path.suffix == ".jpg"
    assert codec.decode(path.read_bytes()).shape == large.shape


def test_an_image_that_lies_on_its_side_is_put_upright(web, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = bring(tmp_path, [web.add("a", encoded("JPEG", exif=exif))])[web.url("a")].path
    assert codec.decode(path.read_bytes()).shape == (60, 40, 3)
    (row,) = pq.read_table(tmp_path / "00000.parquet").to_pylist()
    assert (row["width"], row["original_width"], row["original_height"]) == (40, 40, 60)


@pytest.mark.parametrize("body", [HTML, PNG[:-100], b"\x89PNG\r\n\x1a\n", encoded("JPEG")[:300], b"<svg/>", b"x"])
def test_what_is_no_whole_image_is_dead(web, tmp_path, body):
    assert bring(tmp_path, [web.add("a.jpg", body)])[web.url("a.jpg")] == Download(None, "dead: no image")


def test_an_image_of_no_use_says_why(web, tmp_path):
    spacer = encoded("GIF", np.zeros((1, 1, 3), np.uint8))
    assert bring(tmp_path, [web.add("a.gif", spacer)])[web.url("a.gif")] == Download(None, "dead: too small")


def test_a_killed_process_leaves_no_half_shard_and_its_rest_is_cleared_away(web, tmp_path):
    web.add("a", PNG)
    web.add("slow", slow(30))
    script = f"""
        from pathlib import Path
        from tests.images.downloads.test_store import bring
        bring(Path({str(tmp_path)!r}), ["{web.url("a")}", "{web.url("slow")}"], timeout=60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) as process:
        wait_for(lambda: list(tmp_path.glob(".*.part/*/images/*.png")))
        assert DownloadStore(tmp_path).find([web.url("a")]) == {}
        bring(tmp_path, [web.add("b", PNG)])  # clears nothing away of a process that lives
        assert len(list(tmp_path.glob(".*.part/*/images/*.png"))) == 1
        process.send_signal(signal.SIGKILL)
    assert visible(tmp_path)[1:] == ["00000", "00001", "00001.parquet", "00001_stats.json"]
    assert DownloadStore(tmp_path).find([web.url("a"), web.url("slow")]) == {}
    assert bring(tmp_path, [web.url("a")])[web.url("a")].path is not None
    assert not list(tmp_path.glob(".*.part"))
    assert not (tmp_path / "00000").exists()
    assert not list((tmp_path / ".running").iterdir())


@pytest.mark.parametrize("at", range(8))
def test_wherever_a_process_is_killed_a_shard_is_whole_or_absent(tmp_path, at, monkeypatch):
    class Killed(BaseException):
        pass

    calls = []

    def dying(real):
        def call(*arguments, **named):
            calls.append(real)
            if len(calls) > at:
                raise Killed
            return real(*arguments, **named)

        return call

    shard = claimed_shard(tmp_path)
    for name in ("rename", "fsync"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    monkeypatch.setattr(pq, "write_table", dying(pq.write_table))
    try:
        shard.add(0, "http://a.example/", None, Fetched(PNG, None, "http://a.example/", 0.1))
        shard.finish()
    except Killed:
        pass
    monkeypatch.undo()
    assert len(calls) > at or at >= 9
    found = DownloadStore(tmp_path).find(["http://a.example/"])
    for download in found.values():
        assert download.path.read_bytes() == PNG
        assert (tmp_path / "00000_stats.json").exists()
    assert bool(found) == (tmp_path / "00000.parquet").exists()


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("downloading.wait", KeyboardInterrupt),  # where Ctrl-C finds the thread that waits
        ("shard.Shard.finish", RuntimeError("?")),
        ("store.Section.keep_told", RuntimeError("?")),
    ],
)
def test_an_error_and_ctrl_c_leave_nothing(web, tmp_path, monkeypatch, place, error):
    def fails(*_):
        raise error

    web.add("a", slow(0.1))
    with monkeypatch.context() as patched:
        patched.setattr(f"retrieval_vs_diffusion.images.downloads.{place}", fails)
        with pytest.raises(BaseException, match=r"\??"):
            bring(tmp_path, [web.url("a")])
    left = ["00000", "00000.parquet", "00000_stats.json"] if "keep" in place else []  # the shard was whole
    assert visible(tmp_path) == left
    assert list((tmp_path / ".running").iterdir()) == []
    assert bring(tmp_path, [web.url("a")])[web.url("a")].path is not None


def bring_numbers(folder, urls):
    DownloadStore(folder).bring(dict.fromkeys(urls), Fetcher(quick()))


def test_what_is_kept_is_read_as_img2datasets_own(web, tmp_path):
    bring(tmp_path, [web.add("a", PNG), web.url("gone")])
    DownloadStore(tmp_path).bring({web.add("b", encoded("JPEG")): "a caption"}, Fetcher(quick()))
    samples = list(Img2datasetFiles(tmp_path).samples())
    assert [sample.key for sample in samples] == ["00000/000000000", "00001/000010000"]
    assert [sample.caption for sample in samples] == [None, "a caption"]
    assert samples[0].image.read_bytes() == PNG


def test_processes_use_one_store_at_once(web, tmp_path):
    shared = [web.add(f"shared{number}", PNG) for number in range(5)]
    own = [[web.add(f"{process}/{number}", PNG) for number in range(5)] for process in range(4)]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=bring_numbers, args=(tmp_path, [*shared, *each])) for each in own]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    assert visible(tmp_path)[:4] == ["00000", "00000.parquet", "00000_stats.json", "00001"]
    urls = [*shared, *(url for each in own for url in each)]
    found = DownloadStore(tmp_path).find(urls)
    assert len(found) == 25
    assert all(each.path.read_bytes() == PNG for each in found.values())
    tables = [pq.read_table(path) for path in sorted(tmp_path.glob("*.parquet"))]
    keys = [key for table in tables for key in table.column("key").to_pylist()]
    assert len(keys) == len(set(keys))


def test_shards_of_others_are_seen_as_soon_as_they_are_whole(web, tmp_path):
    store = DownloadStore(tmp_path)
    assert store.find([web.add("a", PNG)]) == {}
    bring(tmp_path, [web.url("a")])
    assert store.find([web.url("a")])[web.url("a")].path is not None


def test_an_image_that_was_removed_is_downloaded_again(web, tmp_path):
    url = web.add("a", PNG)
    bring(tmp_path, [url])[url].path.unlink()
    assert bring(tmp_path, [url])[url].path == tmp_path / "00001/000010000.png"


def test_many_addresses_are_many_shards(web, tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval_vs_diffusion.images.downloads.shares.LARGEST", 4)
    urls = [web.add(str(number), PNG) for number in range(10)]
    found = bring(tmp_path, urls)
    assert [each.path.parent.name for each in found.values()] == ["00000"] * 4 + ["00001"] * 4 + ["00002"] * 2
    assert list(found) == urls


def test_numbers_go_on_after_the_highest_also_beyond_five_digits(web, tmp_path):
    (tmp_path / "00000").mkdir()
    (tmp_path / "99999").mkdir()
    assert bring(tmp_path, [web.add("a", PNG)])[web.url("a")].path == tmp_path / "100000/1000000000.png"
    assert DownloadStore(tmp_path).find([web.url("a")])[web.url("a")].path is not None


def test_what_cannot_be_read_or_written_says_where(web, tmp_path):
    (tmp_path / "00000.parquet").write_bytes(b"PAR1 is not all")
    with pytest.raises(UserError, match=r"00000\.parquet: is no table of downloads \(.*\); remove it"):
        bring(tmp_path, [web.url("a")])
    pq.write_table(pa.table({"URL": ["x"]}), tmp_path / "00000.parquet")
    with pytest.raises(UserError, match=r"00000\.parquet: is no table of downloads"):
        bring(tmp_path, [web.url("a")])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"file: cannot keep downloads here: File exists"):
        bring(tmp_path / "file", [web.url("a")])


def test_a_full_disk_is_told_and_leaves_nothing(web, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval_vs_diffusion.images.downloads.shard.prepare", full)
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot keep downloads here: No space left on device$"):
        bring(tmp_path, [web.add("a", PNG)])
    assert visible(tmp_path) == []


def test_a_machine_without_a_network_remembers_nothing_as_dead(tmp_path):
    async def resolve(host, port):
        raise OSError("no network")

    urls = dict.fromkeys(f"http://{number}.example/" for number in range(8))
    fetcher = Fetcher(quick(retries=0), resolve)
    with pytest.raises(UserError, match="none of 8 hosts could be reached"):
        DownloadStore(tmp_path).bring(urls, fetcher)
    assert visible(tmp_path) == []
    few = dict.fromkeys(list(urls)[:7])  # may well be dead
    assert {each.reason for each in DownloadStore(tmp_path).bring(few, fetcher).values()} == {"dead: no connection"}


def wait_for(happened) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
