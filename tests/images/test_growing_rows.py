import numpy as np

from retrieval_vs_diffusion.images.growing_rows import GrowingRows


def test_rows_stand_in_the_order_in_which_they_came():
    growing, numbers = GrowingRows(3), np.arange(300, dtype=np.float32).reshape(100, 3)
    assert growing.rows.shape == (0, 3)
    for start, stop in ((0, 1), (1, 9), (9, 50), (50, 100)):  # beyond 16, and more than doubled at once
        growing.add(numbers[start:stop])
        assert (growing.rows == numbers[:stop]).all()


def test_adding_one_by_one_copies_seldom():
    growing, memories = GrowingRows(2), set()
    for _ in range(1000):
        growing.add(np.ones((1, 2), np.float32))
        memories.add(growing.rows.base.__array_interface__["data"][0])
    assert len(memories) <= 8  # 16, 32, ... 1024: seven
