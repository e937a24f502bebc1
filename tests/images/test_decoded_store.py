"""Decoded images that are kept: shared, bounded, and never used where they are not what was written."""

import itertools
import logging
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from retrieval_vs_diffusion.images import decoded_block, decoded_store, kept_squares, squares
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.decoded_store import DecodedStore, current_store, decoded_in
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.kept_squares import DecodedAnew, HeldSquares, KeptSquares
from retrieval_vs_diffusion.images.squares import squares_of, training_squares

SIZE, BYTES = 40, 40 * 40 * 3  # of a decoded image
PHOTOGRAPHS = [
    image_row(np.random.default_rng(seed).integers(0, 256, (70, 66, 3), dtype=np.uint8), f"{seed}", label=0)
    for seed in range(8)
]


def photographs(*numbers: int) -> ImageTable:
    """Some of eight images of more than 4,096 bytes each."""
    return ImageTable.from_rows(PHOTOGRAPHS[number] for number in numbers)


@pytest.fixture
def store(tmp_path) -> DecodedStore:
    return DecodedStore(tmp_path / "decoded", at_most=10**9)


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """How many images were decoded, at each call."""
    numbers, decode = [], decoded_block.decode_into

    def counted(into, encoded):
        encoded = list(encoded)
        numbers.append(len(encoded))
        decode(into, encoded)

    monkeypatch.setattr(decoded_block, "decode_into", counted)
    monkeypatch.setattr("retrieval_vs_diffusion.images.kept_squares.decode_into", counted)
    return numbers


def blocks(folder: Path) -> list[Path]:
    return sorted(index.parent for index in folder.glob("decoded/*/*/index.npy"))


def everything(kept) -> np.ndarray:
    return kept.take(np.arange(len(kept)))


def test_an_image_is_decoded_once_whatever_tables_it_stands_in(store, decoded, tmp_path):
    first, second = photographs(0, 1, 2, 1), [photographs(4, 2), photographs(0)]
    kept = store.squares([first], SIZE)
    assert np.array_equal(everything(kept), squares_of(first, SIZE))
    kept = store.squares(second, SIZE)
    assert np.array_equal(everything(kept), squares_of(second, SIZE))
    assert decoded == [3, 1]  # three of the first four are different; of the others only number 4 is new
    assert [(block / "pixels").stat().st_size for block in blocks(tmp_path)].count(BYTES) == 1


def test_images_come_as_they_are_asked_for_and_each_size_is_its_own(store):
    table = photographs(0, 1, 2)
    kept, smaller = store.squares([table], SIZE), store.squares([table], 30)
    assert np.array_equal(kept.take(np.array([2, 0, 2])), squares_of(table, SIZE)[[2, 0, 2]])
    assert np.array_equal(everything(smaller), squares_of(table, 30))


def test_another_process_finds_them(store, decoded, tmp_path):
    store.squares([photographs(0, 1)], SIZE)
    again = DecodedStore(tmp_path / "decoded", at_most=10**9).squares([photographs(1, 0)], SIZE)
    assert np.array_equal(everything(again), squares_of(photographs(1, 0), SIZE))
    assert decoded == [2]


def test_images_that_other_code_decoded_are_decoded_again(store, decoded, monkeypatch):
    store.squares([photographs(0)], SIZE)
    monkeypatch.setattr(decoded_store, "digest_of_module", lambda module: f"other code of {module}")
    store.squares([photographs(0)], SIZE)
    assert decoded == [1, 1]


def test_the_size_is_said_before_it_is_made(store, caplog, monkeypatch):
    def stopped(*_):
        raise OSError("stopped before the first byte")

    monkeypatch.setattr(decoded_store, "write_block", stopped)
    with caplog.at_level(logging.INFO):
        assert store.squares([photographs(0, 1, 2)], SIZE) is None
    assert "3 images at 40 pixels: 1.4e-05 GB to decode, once, to " in caplog.text  # 3 x 40 x 40 x 3 = 14,400 bytes
    assert "Decoded images are not kept: stopped before the first byte" in caplog.text


# ---- what is damaged


def flip_a_pixel(block: Path) -> None:
    data = bytearray((block / "pixels").read_bytes())
    data[BYTES + 7] ^= 1  # of the second image
    (block / "pixels").write_bytes(data)


def cut_pixels(block: Path) -> None:
    (block / "pixels").write_bytes((block / "pixels").read_bytes()[:-1])


def cut_index(block: Path) -> None:
    (block / "index.npy").write_bytes((block / "index.npy").read_bytes()[:-1])


def name_another_image(block: Path) -> None:
    index = np.load(block / "index.npy")
    index["key"] = index["key"][::-1].copy()  # whole, and wrong: the first image for the second
    np.save(block / "index.npy", index)


def zeros_after_a_power_cut(block: Path) -> None:
    (block / "pixels").write_bytes(bytes(2 * BYTES))


@pytest.mark.parametrize("damage", [flip_a_pixel, cut_pixels, cut_index, name_another_image, zeros_after_a_power_cut])
def test_damaged_images_are_never_used_and_made_again(store, tmp_path, damage, decoded):
    table = photographs(0, 1)
    store.squares([table], SIZE)
    damage(*blocks(tmp_path))
    assert np.array_equal(everything(store.squares([table], SIZE)), squares_of(table, SIZE))
    assert sum(decoded) > 2
    decoded.clear()
    for _ in range(2):
        assert np.array_equal(everything(store.squares([table], SIZE)), squares_of(table, SIZE))
    assert sum(decoded) <= 2  # made again at most once more, and whole from then on


def test_a_process_that_is_killed_leaves_nothing_that_is_taken_for_whole(store, tmp_path):
    store.squares([photographs(0)], SIZE)
    (whole,) = blocks(tmp_path)
    left = whole.with_name(f".999999{decoded_block.PARTIAL}")
    shutil.copytree(whole, left)
    (left / "pixels").write_bytes(b"half")
    kept = store.squares([photographs(0, 1)], SIZE)
    assert np.array_equal(everything(kept), squares_of(photographs(0, 1), SIZE))
    assert not left.exists()


def test_a_broken_image_is_an_error_and_leaves_nothing(store, tmp_path):
    broken = {**PHOTOGRAPHS[0], "image": {"bytes": PHOTOGRAPHS[0]["image"]["bytes"][:4200], "path": None}}
    with pytest.raises(BrokenImageError):
        store.squares([ImageTable.from_rows([PHOTOGRAPHS[1], broken])], SIZE)
    assert [path.name for path in (tmp_path / "decoded").rglob("*") if not path.is_dir()] == []


# ---- where there is no room


@pytest.fixture
def bounded(tmp_path) -> tuple[DecodedStore, list[Path]]:
    """A store for three images that holds numbers 0, 1 and 2, and their blocks; 0 was not used for longest."""
    store, made = DecodedStore(tmp_path / "decoded", at_most=3 * BYTES), []
    for number in (0, 1, 2):
        store.squares([photographs(number)], SIZE)
        (block,) = set(blocks(tmp_path)) - set(made)
        os.utime(block / "index.npy", (number, number))
        made.append(block)
    return store, made


def test_what_was_not_used_for_longest_makes_room(bounded):
    store, made = bounded
    store.squares([photographs(3)], SIZE)
    assert [block.exists() for block in made] == [False, True, True]


def test_what_was_used_since_stays(bounded):
    store, made = bounded
    store.squares([photographs(0)], SIZE)
    store.squares([photographs(3)], SIZE)
    assert [block.exists() for block in made] == [True, False, True]


def test_what_is_asked_for_stays(bounded):
    store, made = bounded
    assert np.array_equal(everything(store.squares([photographs(0, 3)], SIZE)), squares_of(photographs(0, 3), SIZE))
    assert [block.exists() for block in made] == [True, False, True]


def test_what_made_room_is_not_held_open(bounded):
    store, made = bounded
    kept = store.squares([photographs(3)], SIZE)
    assert not made[0].exists()
    assert [block.folder.exists() for block in kept._blocks] == [True]  # else the disk would not have its bytes back


def test_where_another_process_holds_what_was_removed_there_is_no_room_yet(bounded, monkeypatch, caplog):
    store, made = bounded
    usage = type(shutil.disk_usage("/"))(total=0, used=0, free=BYTES // 2)  # as it is before and after
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with caplog.at_level(logging.INFO):
        assert store.squares([photographs(3)], SIZE) is None
    assert "has no room until other runs have ended" in caplog.text
    assert [block.exists() for block in made] == [False, True, True]


def test_a_block_that_was_removed_before_another_process_opened_it_is_decoded_anew(store, tmp_path, decoded, caplog):
    sent = pickle.dumps(store.squares([photographs(0, 1)], SIZE))
    (block,) = blocks(tmp_path)
    shutil.rmtree(block)
    arrived = pickle.loads(sent)
    assert np.array_equal(everything(arrived), squares_of(photographs(0, 1), SIZE))
    assert decoded == [2, 2]
    assert f"{block} was removed while it was used" in caplog.text


def test_what_a_long_training_reads_was_used_now(store, tmp_path, monkeypatch):
    kept = store.squares([photographs(0)], SIZE)
    (block,) = blocks(tmp_path)
    os.utime(block / "index.npy", (1, 1))
    everything(kept)
    assert (block / "index.npy").stat().st_mtime == 1  # ten minutes have not gone by
    monkeypatch.setattr(kept_squares, "_SECONDS_BETWEEN_TOUCHES", -1)
    everything(kept)
    assert (block / "index.npy").stat().st_mtime > 1


@pytest.mark.parametrize("full", ["bound", "disk", "while it is written"])
def test_where_there_is_no_room_nothing_is_kept_and_what_was_kept_stays(tmp_path, monkeypatch, caplog, full):
    store = DecodedStore(tmp_path / "decoded", at_most=2 * BYTES if full == "bound" else 10**9)
    store.squares([photographs(0)], SIZE)
    if full == "disk":
        usage = type(shutil.disk_usage(tmp_path))(10**6, 10**6, 0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if full == "while it is written":
        monkeypatch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with caplog.at_level(logging.INFO):
        assert store.squares([photographs(1, 2, 3)], SIZE) is None
    assert "not kept" in caplog.text
    assert np.array_equal(everything(store.squares([photographs(0)], SIZE)), squares_of(photographs(0), SIZE))


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert DecodedStore(tmp_path / "file" / "decoded", 10**9).squares([photographs(0)], SIZE) is None


# ---- how training gets its images


def test_training_reads_from_the_store_else_from_memory_else_decodes_anew(tmp_path, monkeypatch):
    table = photographs(0, 1, 2)
    expected = squares_of(table, SIZE)
    found = {"no store": training_squares([table], SIZE)}
    with decoded_in(tmp_path / "decoded", 10**9):
        found["store"] = training_squares([table], SIZE)
    with decoded_in(tmp_path / "small", 1):
        found["no room"] = training_squares([table], SIZE)
        found["nor memory"] = training_squares([table], SIZE, in_memory_up_to=len(PHOTOGRAPHS[0]["image"]["bytes"]))
        found["nor for bytes"] = training_squares([table], SIZE, in_memory_up_to=1)
    kinds = [HeldSquares, KeptSquares, HeldSquares, DecodedAnew, DecodedAnew]
    assert [type(each) for each in found.values()] == kinds
    for each in found.values():
        assert len(each) == 3
        assert np.array_equal(everything(each), expected)
        assert np.array_equal(each.take(np.array([2, 0])), expected[[2, 0]])


def test_small_images_are_not_kept_and_the_store_is_not_even_looked_at(tmp_path):
    digit = ImageTable.from_rows([image_row(np.zeros((16, 16, 3), np.uint8), "digit")])
    with decoded_in(tmp_path / "decoded", 10**9):
        assert isinstance(training_squares([digit], 16), HeldSquares)
    assert not (tmp_path / "decoded").exists()


def test_nothing_is_kept_outside_nor_with_no_bytes(tmp_path):
    with decoded_in(tmp_path, 5):
        assert current_store() is not None
        with decoded_in(tmp_path, 0):
            assert current_store() is None
    assert current_store() is None


def test_without_a_store_and_without_a_disk_images_are_decoded_anew(monkeypatch):
    usage = type(shutil.disk_usage("/"))(1, 1, 0)
    monkeypatch.setattr(squares.shutil, "disk_usage", lambda _: usage)
    anew = training_squares([photographs(0, 1), photographs(2)], SIZE, in_memory_up_to=10)
    assert isinstance(anew, DecodedAnew)
    for positions in itertools.permutations(range(3)):
        assert np.array_equal(anew.take(np.array(positions)), squares_of(photographs(*positions), SIZE))
