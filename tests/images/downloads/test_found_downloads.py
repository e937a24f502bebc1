"""Of several shards with an address, which one says what became of it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.images.downloads.store import Download, DownloadStore


def write_shard(folder, number: int, url: str, image: bool) -> None:
    rows = [
        {
            "url": url,
            "key": f"{number:05d}0000",
            "status": "success" if image else "failed_to_download",
            "error_message": None if image else f"HTTP Error {number}",
        }
    ]
    schema = pa.schema([(name, pa.string()) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{number:05d}.parquet")
    (folder / f"{number:05d}").mkdir()
    if image:
        (folder / f"{number:05d}/{number:05d}0000.jpg").write_bytes(b"")


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_first_image_counts_whoever_is_seen_first(tmp_path, order):
    store = DownloadStore(tmp_path)
    for number in order:
        write_shard(tmp_path, number, "u", image=number in (1, 2))
        store.find(["u"])
    assert store.find(["u"]) == {"u": Download(tmp_path / "00001/000010000.jpg", None)}


def test_of_failures_the_last_counts_and_img2datasets_own_are_understood(tmp_path):
    store = DownloadStore(tmp_path)
    for number in (4, 2):
        write_shard(tmp_path, number, "u", image=False)
        store.find(["u"])
    assert store.find(["u"]) == {"u": Download(None, "dead: HTTP Error 4")}
