"""Rows of a batch in a file of their own come back as they were, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.kept_rows import read_rows, write_rows
from retrieval_vs_diffusion.unfinished import BrokenUnitError

ROWS = [
    image_row(np.full((8, 8, 3), value, np.uint8), f"toy/{value}", label=value, seed=2**62, caption="a\0b", prompt=None)
    for value in (0, 255)
]


def test_rows_come_back(tmp_path):
    write_rows(tmp_path / "r", ROWS, "key")
    assert ImageTable.from_rows(read_rows(tmp_path / "r", "key")).table.equals(ImageTable.from_rows(ROWS).table)


def test_rows_of_something_else_are_not_taken(tmp_path):
    write_rows(tmp_path / "r", ROWS, "key")
    with pytest.raises(BrokenUnitError, match="something else"):
        read_rows(tmp_path / "r", "other")


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_file_that_was_cut_off_is_noticed(tmp_path, share):
    write_rows(tmp_path / "r", ROWS, "key")
    data = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes(data[: int(share * len(data))])
    with pytest.raises(BrokenUnitError):
        read_rows(tmp_path / "r", "key")
