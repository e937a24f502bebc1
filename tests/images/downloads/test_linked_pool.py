import pickle

import pytest

from retrieval_vs_diffusion.images.downloads.linked_pool import LinkedPool
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash, image_row
from tests.images.downloads.server import PIXELS, PNG, quick, status


def link(number: int, source: str | None, refused: str | None = None) -> dict:
    about = {"image_id": f"metadata/{number}", "content_hash": "", "image": None}
    return {**about, "caption": f"caption {number}", "source": source, "refused": refused}


@pytest.fixture
def pool(web, tmp_path):
    rows = [
        link(0, web.add("a", PNG)),
        link(1, web.url("gone")),
        link(2, web.add("unsafe", PNG), "unsafe: punsafe 0.99"),
        link(3, None, "no url"),
        link(4, web.add("page", b"<html></html>")),
        link(5, web.url("a")),
        link(6, web.add("b", status(200, body=PNG))),
    ]
    return LinkedPool(ImageTable.from_rows(rows, {"kind": "links"}), DownloadStore(tmp_path / "store"), quick())


def test_rows_come_with_their_images_or_with_why_not(pool, web):
    rows = pool.rows([6, 1, 2, 3, 4, 0, 5])
    assert [row["image_id"] for row in rows] == [f"metadata/{number}" for number in (6, 1, 2, 3, 4, 0, 5)]
    assert [row["refused"] for row in rows] == [
        None,
        "dead: 404",
        "unsafe: punsafe 0.99",
        "no url",
        "dead: no image",
        None,
        None,
    ]
    assert [row["image"] for row in rows] == [{"bytes": PNG, "path": None}, *[None] * 4, *[rows[0]["image"]] * 2]
    assert {row["content_hash"] for row in rows if row["image"]} == {content_hash(PIXELS)}
    assert rows[0]["caption"] == "caption 6"
    assert ImageTable.from_rows(rows).column("source") == [row["source"] for row in rows]
    assert web.asked == {"a": 1, "b": 1, "gone": 1, "page": 1}


def test_nothing_but_what_is_looked_at_is_asked(pool, web):
    assert len(pool) == 7
    assert pool.column("caption")[6] == "caption 6"
    assert pool.ledger == {"kind": "links"}
    assert not web.asked
    assert pool.row(6)["image"]["bytes"] == PNG
    assert pool.rows([]) == []
    assert web.asked == {"b": 1}
    pool.prefetch([2, 3])
    assert web.asked == {"b": 1}


def test_what_was_fetched_before_is_not_asked_again(pool, web):
    pool.prefetch(range(7))
    assert sorted(path.name for path in pool.store.folder.glob("*.parquet")) == ["00000.parquet"]  # all at once
    asked = dict(web.asked)
    rows = pool.rows([0, 1])
    assert rows[0]["image"]["bytes"] == PNG
    assert rows[1]["refused"] == "dead: 404"
    assert web.asked == asked


def test_it_goes_to_another_process_whole(pool):
    assert pickle.loads(pickle.dumps(pool)).row(0)["image"]["bytes"] == PNG


def test_rows_that_have_images_keep_them(web, tmp_path):
    table = ImageTable.from_rows([image_row(PIXELS, "x", source=web.url("a"))])
    assert LinkedPool(table, DownloadStore(tmp_path), quick()).row(0) == table.row(0)
    assert not web.asked


def test_an_image_that_was_damaged_on_disk_is_no_image(pool):
    pool.prefetch([0])
    next(pool.store.folder.glob("00000/*.png")).write_bytes(b"\0" * 100)
    row = pool.row(0)
    assert (row["image"], row["refused"]) == (None, "dead: broken file")
