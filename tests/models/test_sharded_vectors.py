import pickle

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import sharded_vectors
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors


def unit(n: int, d: int = 4, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = unit(10)


@pytest.fixture
def files(tmp_path):
    """Ten vectors in files of 3, 0, 5 and 2."""
    made = []
    for number, part in enumerate(np.split(VECTORS, [3, 3, 8])):
        made.append(tmp_path / f"img_emb_{number}.npy")
        np.save(made[-1], part)
    return made


def test_rows_count_through_from_file_to_file(files):
    vectors = ShardedVectors(files)
    assert (vectors.shape, len(vectors)) == ((10, 4), 10)
    for rows in ([9, 0, 3, 2, 3], [7], [], list(range(10))):
        assert np.array_equal(vectors[np.array(rows, dtype=np.int64)], VECTORS[rows])
    assert np.array_equal(vectors[2:9:3], VECTORS[2:9:3])


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_batches_give_all_rows_in_order(files, size):
    batches = list(ShardedVectors(files).batches(size))
    assert np.array_equal(np.concatenate(batches), VECTORS)
    assert max(map(len, batches)) <= size
    assert all(batch.dtype == np.float32 for batch in batches)


@pytest.mark.parametrize("row", [-1, 10])
def test_a_row_that_is_not_there_is_an_error(files, row):
    with pytest.raises(IndexError, match="of 10 vectors"):
        ShardedVectors(files)[np.array([0, row])]


def test_half_precision_and_other_lengths_are_read_as_unit_vectors(tmp_path):
    np.save(tmp_path / "half.npy", VECTORS.astype(np.float16))
    np.save(tmp_path / "long.npy", VECTORS * 25)
    vectors = ShardedVectors([tmp_path / "half.npy", tmp_path / "long.npy"])
    read = vectors[np.arange(20)]
    assert read.dtype == np.float32
    assert read == pytest.approx(np.tile(VECTORS, (2, 1)), abs=1e-3)
    assert np.linalg.norm(read[10:], axis=1) == pytest.approx(np.ones(10), abs=1e-6)
    assert np.array_equal(np.concatenate(list(vectors.batches(7))), read)  # whichever way they are read


def test_broken_rows_are_zeros_and_counted(tmp_path):
    broken = VECTORS.copy()
    broken[[1, 4]], broken[7] = np.nan, 0
    np.save(tmp_path / "0.npy", broken)
    vectors = ShardedVectors([tmp_path / "0.npy"])
    assert [count for _, count in vectors.checked_batches(5)] == [2, 1]
    assert not vectors[np.array([1, 4, 7])].any()


def test_few_files_are_open_at_once(files, monkeypatch):
    monkeypatch.setattr(sharded_vectors, "_MAPPED", 2)
    vectors = ShardedVectors(files)
    for row in (0, 5, 9, 1, 9, 0):
        assert np.array_equal(vectors[np.array([row])][0], VECTORS[row])
        assert len(vectors._mapped) <= 2


def test_they_go_to_another_process_as_names(files):
    vectors = ShardedVectors(files)
    _ = vectors[np.arange(10)]
    sent = pickle.dumps(vectors)
    assert not pickle.loads(sent)._mapped
    assert np.array_equal(pickle.loads(sent)[np.arange(10)], VECTORS)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (np.zeros((2, 5), np.float32), r"bad\.npy: found vectors of 5 dimensions, .*img_emb_0\.npy has 4"),
        (np.zeros(5, np.float32), r"bad\.npy: found float32 of shape \[5\]; give float16 or float32 of shape \[n, d\]"),
        (np.zeros((2, 4), np.float64), r"bad\.npy: found float64 of shape \[2, 4\]"),
        (np.zeros((2, 4), np.uint8), r"bad\.npy: found uint8"),
        (np.array([[{}]], dtype=object), r"bad\.npy: is no array of vectors \(.*Python objects"),
    ],
)
def test_a_file_that_holds_something_else_is_named(files, tmp_path, made, said):
    np.save(tmp_path / "bad.npy", made)
    with pytest.raises(UserError, match=said) as error:
        ShardedVectors([*files, tmp_path / "bad.npy"])
    assert "\n" not in str(error.value)


def test_what_is_no_array_and_what_is_not_there_is_named(files, tmp_path):
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(UserError, match=r"text\.npy: is no array"):
        ShardedVectors([tmp_path / "text.npy"])
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.npy: is no array"):
        ShardedVectors([tmp_path / "empty.npy"])
    np.savez(tmp_path / "several.npz", VECTORS)
    with pytest.raises(UserError, match=r"several\.npz: found an archive"):
        ShardedVectors([tmp_path / "several.npz"])
    with pytest.raises(UserError, match=r"nothing\.npy: there is no such file"):
        ShardedVectors([*files, tmp_path / "nothing.npy"])
    with pytest.raises(UserError, match="name at least one"):
        ShardedVectors([])
