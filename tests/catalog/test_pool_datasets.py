import pytest
from kedro.io import DatasetError

from retrieval_vs_diffusion.catalog.pool_datasets import DownloadStoreDataset, TakedownDataset
from retrieval_vs_diffusion.errors import find_user_error
from retrieval_vs_diffusion.images.downloads.store import DownloadStore


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        (b"", set()),
        (b"a\nhttps://x/1?y=2#z\n", {"a", "https://x/1?y=2#z"}),  # a # within a line is part of it
        (b"\xef\xbb\xbfa\r\n  b \r\n\r\n# why: asked by mail\n #c\nd", {"a", "b", "d"}),
        ("bücher/größe.jpg\n".encode(), {"bücher/größe.jpg"}),
        (b"a\na\n", {"a"}),
    ],
)
def test_a_takedown_list_has_an_id_or_url_a_line(tmp_path, text, listed):
    path = tmp_path / "takedown.txt"
    path.write_bytes(text)
    dataset = TakedownDataset(filepath=str(path))
    assert dataset.exists()
    assert dataset.load() == listed


def test_without_a_list_nothing_is_taken_down():
    dataset = TakedownDataset(filepath=None)
    assert dataset.exists()
    assert dataset.load() == frozenset()


@pytest.mark.parametrize("what", ["missing", "folder", "binary"])
def test_a_list_that_cannot_be_read_is_told_and_not_passed_over(tmp_path, what):
    path = tmp_path / "takedown.txt"
    if what == "folder":
        path.mkdir()
    elif what == "binary":
        path.write_bytes(b"\xff\xfe\x00\x81")
    dataset = TakedownDataset(filepath=str(path))
    assert dataset.exists() == (what == "binary")
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    told = str(find_user_error(caught.value))
    assert told.startswith(f"takedown: cannot read {path} (")
    assert told.endswith("; a text file in UTF-8 will do")


def test_nobody_else_writes_the_list_or_the_store(tmp_path):
    for dataset in (TakedownDataset(filepath=str(tmp_path / "a")), DownloadStoreDataset(filepath=str(tmp_path / "b"))):
        with pytest.raises(DatasetError):
            dataset.save({"a"})
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_always_there_and_what_it_holds_is_no_part_of_what_is_made_with_it(tmp_path):
    dataset = DownloadStoreDataset(filepath=str(tmp_path / "downloaded"))
    assert dataset.exists()
    store = dataset.load()
    assert isinstance(store, DownloadStore)
    assert store.folder == tmp_path / "downloaded"
    assert not (tmp_path / "downloaded").exists()
    assert dataset._describe() == {}
