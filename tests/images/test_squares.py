import resource

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import codec, squares
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.kept_squares import DecodedAnew
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.images.squares import squares_of, training_squares

SIZES = ((16, 16), (20, 31), (40, 8), (9, 9), (33, 32))


def pictures(start: int = 0) -> ImageTable:
    """Noise of several sizes."""
    random = np.random.default_rng(start)
    return ImageTable.from_rows(
        image_row(random.integers(0, 256, (*size, 3), dtype=np.uint8), f"{start}/{number}")
        for number, size in enumerate(SIZES)
    )


@pytest.mark.parametrize("in_memory_up_to", [10**9, 0])
def test_all_images_come_in_order_as_squares_of_one_size(in_memory_up_to):
    tables = [pictures(1), pictures(2).take([]), pictures(3).take([4, 0])]
    squares = squares_of(tables, 12, in_memory_up_to)
    assert (squares.shape, squares.dtype) == ((7, 12, 12, 3), np.uint8)
    expected = [square(codec.decode(data), 12) for table in tables for data in table.encoded()]
    assert np.array_equal(squares, np.stack(expected))
    assert isinstance(squares, np.memmap) == (in_memory_up_to == 0)


def test_on_disk_and_in_memory_they_are_the_same_and_one_table_is_enough():
    images = pictures()
    whole = 5 * 10 * 10 * 3
    in_memory, on_disk = squares_of(images, 10, whole), squares_of([images], 10, whole - 1)
    assert not isinstance(in_memory, np.memmap)
    assert isinstance(on_disk, np.memmap)
    assert np.array_equal(in_memory, on_disk)


def test_squares_on_disk_leave_no_file_with_a_name_and_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    squares = squares_of(pictures(), 10, in_memory_up_to=0)
    assert list(tmp_path.iterdir()) == []
    squares[0] = 7
    assert (squares[0] == 7).all()


@pytest.fixture
def small_files():
    """The system writes no file of more than 1,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_is_told_before_an_image_is_decoded(small_files, monkeypatch):
    monkeypatch.setattr(squares, "decode_into", None)
    with pytest.raises(UserError, match=r"has no room for 5 images at 10 pixels, 1.5e-06 GB \(.*\); set TMPDIR"):
        squares_of(pictures(), 10, in_memory_up_to=0)  # 5 x 10 x 10 x 3 = 1,500 bytes


def test_training_decodes_anew_where_the_room_was_taken_meanwhile(small_files):
    anew = training_squares([pictures()], 10, in_memory_up_to=0)
    assert isinstance(anew, DecodedAnew)
    assert np.array_equal(anew.take(np.arange(5)), squares_of(pictures(), 10))


def test_of_no_images_there_are_no_squares():
    assert squares_of(ImageTable.from_rows([]), 8).shape == (0, 8, 8, 3)
    assert squares_of([], 8).shape == (0, 8, 8, 3)
    assert squares_of([], 8, in_memory_up_to=0).shape == (0, 8, 8, 3)


def test_a_broken_image_is_an_error():
    broken = {**image_row(np.zeros((8, 8, 3), np.uint8), "a"), "image": {"bytes": b"broken", "path": None}}
    with pytest.raises(codec.BrokenImageError):
        squares_of(ImageTable.from_rows([broken]), 8)
