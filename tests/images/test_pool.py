"""The pool as strategies see it: what must not be used of it, and what comes over the network."""

import sys

import pytest

from retrieval_vs_diffusion.images.downloads.linked_pool import LinkedPool
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import LINKS, Pool, open_pool
from tests.strategies.retrieve.angles import images

SOURCES = ("https://a/1", "https://a/2", None, "https://b/1", "https://a/2", "folder/x.jpg")


@pytest.fixture
def table() -> ImageTable:
    """Rows pool/0 to pool/5; the fourth is unsafe."""
    rows = images(range(6), "pool").table.to_pylist()
    for row, source in zip(rows, SOURCES, strict=True):
        row["source"] = source
    rows[3]["refused"] = "unsafe: punsafe 0.99"
    return ImageTable.from_rows(rows)


@pytest.mark.parametrize(
    ("takedown", "left_out"),
    [
        ((), [3]),  # what the reader refused
        (("pool/5",), [3, 5]),  # an id
        (("https://a/2",), [1, 3, 4]),  # a URL, wherever it stands
        (("folder/x.jpg", "pool/0", "https://b/1"), [0, 3, 5]),  # row 3 for two reasons
        (("pool", "https://a", "a/2", "POOL/1", "", "None", "nothing"), [3]),  # only the whole id or URL counts
    ],
)
def test_rows_that_were_taken_down_or_refused_are_left_out(table, takedown, left_out):
    pool = open_pool(table, frozenset(takedown))
    assert pool.left_out.tolist() == left_out
    assert len(pool) == 6  # they stay where they are, so that rows keep their positions


def test_a_pool_of_which_nothing_is_known_leaves_nothing_out():
    assert open_pool(images(range(3), "pool")).left_out.tolist() == []
    assert open_pool(ImageTable.from_rows([]), frozenset({"x"})).left_out.tolist() == []
    assert Pool(images(range(3), "pool")).left_out.tolist() == []


def test_rows_come_with_their_images_and_nothing_is_downloaded(table):
    pool = open_pool(table)
    assert [row["image_id"] for row in pool.rows([4, 0, 4])] == ["pool/4", "pool/0", "pool/4"]
    assert pool.row(2) == table.row(2)
    assert (pool.is_downloaded, pool.overfetch) == (False, 1.0)
    pool.prefetch([0, 1])  # there is nothing to do


def test_a_pool_of_links_is_one_that_downloads(table, tmp_path):
    links = ImageTable(table.table, {"kind": LINKS})
    pool = open_pool(links, frozenset({"https://a/1"}), DownloadStore(tmp_path), Downloads(overfetch=3.0))
    assert isinstance(pool.images, LinkedPool)
    assert (pool.is_downloaded, pool.overfetch, len(pool)) == (True, 3.0, 6)
    assert pool.left_out.tolist() == [0, 3]
    assert list(tmp_path.iterdir()) == []  # until rows are asked for
    assert open_pool(links, store=DownloadStore(tmp_path)).overfetch == Downloads().overfetch


def test_a_pool_of_another_kind_needs_no_store(table):
    assert open_pool(ImageTable(table.table, {"kind": "photographs"})).is_downloaded is False


def test_a_pool_of_images_loads_nothing_that_downloads(table, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("retrieval_vs_diffusion.images.downloads")]:
        monkeypatch.delitem(sys.modules, name)
    open_pool(table)
    assert not [name for name in sys.modules if name.startswith("retrieval_vs_diffusion.images.downloads.")]


def test_prefetching_asks_for_all_rows_at_once():
    class Images:
        asked: list

        def prefetch(self, positions):
            self.asked = positions

    links = Images()
    Pool(links).prefetch([3, 1])
    assert links.asked == [3, 1]


def test_a_takedown_says_once_what_it_found_and_what_it_did_not(caplog):
    caplog.set_level("INFO")
    rows = [{"image_id": f"pool/{n}", "content_hash": "", "image": None, "source": f"https://x/{n}"} for n in range(4)]
    table = ImageTable.from_rows(rows)
    for _ in range(2):
        pool = open_pool(table, frozenset({"pool/1", "https://x/3", "https://x/9"}))
    assert pool.left_out.tolist() == [1, 3]
    assert caplog.messages == [
        "takedown: 2 of 3 entries found, 2 images of the pool left out",
        "takedown: 1 entries are no id and no URL of the pool, e.g. https://x/9",
    ]
