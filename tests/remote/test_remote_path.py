"""A path in a bucket answers as the same path on the disk does."""

from __future__ import annotations

import os
import pickle
import shutil

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.remote.walking import walk
from tests.images.made_collections import write

FILES = {"cat/1.png": b"one", "cat/deep/2.png": b"two", "dog/3.PNG": b"three", "list.csv": b"a,b\n", ".hidden/4": b""}


@pytest.fixture(scope="module")
def both(bucket, tmp_path_factory):
    """A folder on the disk and the same in a bucket."""
    folder = write(tmp_path_factory.mktemp("both") / "photos", FILES)
    return folder, bucket.upload(folder, "photos")


@pytest.fixture
def local(both):
    return both[0]


@pytest.fixture
def remote(both, remote_cache):
    return as_path(both[1])


QUESTIONS = {
    "kinds": lambda root: [(root / name).is_file() for name in (*FILES, "cat", "no")],
    "folders": lambda root: [(root / name).is_dir() for name in (*FILES, "cat", "cat/deep", "no", "")],
    "there": lambda root: [(root / name).exists() for name in ("cat", "ca", "cat/1.png", "cat/1.pn", "")],
    "inside": lambda root: sorted(each.name for each in root.iterdir()),
    "glob": lambda root: sorted(each.relative_to(root).as_posix() for each in root.glob("*.csv")),
    "two steps": lambda root: sorted(each.relative_to(root).as_posix() for each in root.glob("*/*.png")),
    "rglob": lambda root: sorted(each.relative_to(root).as_posix() for each in root.rglob("*.png")),
    "order": lambda root: [each.relative_to(root).as_posix() for each in sorted(root.rglob("*.*")) if each.is_file()],
    "size": lambda root: (root / "dog/3.PNG").stat().st_size,
    "bytes": lambda root: (root / "cat/deep/2.png").read_bytes(),
    "text": lambda root: (root / "list.csv").read_text(encoding="utf-8"),
    "lines": lambda root: list((root / "list.csv").open(encoding="utf-8", newline="")),
    "names": lambda root: ((root / "cat/1.png").with_suffix(".txt").name, (root / "dog/3.PNG").suffix, root.name),
    "walk": lambda root: [
        (folder.relative_to(root).as_posix(), sorted(inner), sorted(files)) for folder, inner, files in _pruned(root)
    ],
    "inside it": lambda root: (
        (root / "cat/../../x").resolve().is_relative_to(root),
        (root / "/etc/x").resolve().is_relative_to(root),
        (root / "cat/1.png").is_relative_to(root),
    ),
}


def _pruned(root):
    for folder, inner, files in walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield folder, inner, files


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_of_a_bucket_is_answered_as_by_the_disk(question, local, remote):
    assert QUESTIONS[question](remote) == QUESTIONS[question](local)


def test_errors_are_those_of_the_disk(remote):
    for ask in (
        lambda: (remote / "no").read_bytes(),
        lambda: (remote / "no").stat(),
        lambda: os.fspath(remote / "cat/no"),
    ):
        with pytest.raises(FileNotFoundError):
            ask()
    with pytest.raises(IsADirectoryError):
        (remote / "cat").read_bytes()
    with pytest.raises(NotADirectoryError):
        list((remote / "list.csv").iterdir())


def test_a_library_gets_a_local_file(bucket, remote, remote_cache, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6))
    bucket.upload(tmp_path / "a.npy", "arrays/a.npy")
    loaded = np.load(as_path(bucket.address("arrays/a.npy")), mmap_mode="r", allow_pickle=False)
    assert loaded.tolist() == [0, 1, 2, 3, 4, 5]
    assert str(loaded.filename) == bucket.address("arrays/a.npy")  # which messages show
    assert [file.read_bytes() for file in remote_cache.glob("??/*.npy")] == [(tmp_path / "a.npy").read_bytes()]


def test_it_goes_to_another_process_as_its_address(remote):
    again = pickle.loads(pickle.dumps(remote / "cat/1.png"))
    assert (str(again), again.read_bytes()) == (f"{remote}/cat/1.png", b"one")
    assert again == remote / "cat/1.png"
    assert len({again, remote / "cat/1.png"}) == 1


@pytest.mark.parametrize(
    "write_it",
    [
        lambda path: path.write_bytes(b"x"),
        lambda path: path.write_text("x"),
        lambda path: path.open("w"),
        lambda path: path.open("r+b"),
        lambda path: path.unlink(),
        lambda path: path.mkdir(parents=True),
        lambda path: path.rename("/tmp/x"),
    ],
)
def test_nothing_is_written_neither_there_nor_to_the_copy(write_it, remote):
    with pytest.raises(UserError, match=r"list\.csv: is only read here"):
        write_it(remote / "list.csv")
    assert (remote / "list.csv").read_bytes() == b"a,b\n"


def test_what_is_joined_with_a_path_of_this_machine_reads_nothing_of_it(remote, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with pytest.raises(UserError, match="is no store"):
        (remote / str(secret)).read_bytes()


def test_the_cache_may_be_removed_meanwhile(remote, remote_cache):
    assert (remote / "cat/1.png").read_bytes() == b"one"
    shutil.rmtree(remote_cache)
    assert (remote / "cat/1.png").read_bytes() == b"one"
