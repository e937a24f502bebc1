"""Taking rows from a table that comes in groups, each small enough to be held."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from jaxtyping import Int

# Arrow's binary columns hold at most 2 GiB in one piece, and taking makes one piece of what is taken.
_TAKEN_AT_ONCE = 256


def take_rows(
    rows: Int[np.ndarray, " n"],
    starts: Int[np.ndarray, " g"],
    group: Callable[[int], pa.Table],
    schema: pa.Schema,
) -> pa.Table:
    """These rows, in this order.

    Args:
        rows: positions in the whole table.
        starts: position of each group's first row, and after the last one the number of all rows.
        group: gives the rows of a group.
        schema: of the table.

    Raises:
        IndexError: if there is no such row.
    """
    total = int(starts[-1])
    outside = (rows < 0) | (rows >= total)
    if outside.any():
        raise IndexError(f"row {rows[outside][0]} of a table with {total} rows")
    portions = [rows[start : start + _TAKEN_AT_ONCE] for start in range(0, len(rows), _TAKEN_AT_ONCE)]
    taken = [_take_portion(portion, starts, group) for portion in portions]
    return pa.concat_tables(taken) if taken else schema.empty_table()


def _take_portion(
    rows: Int[np.ndarray, " n"], starts: Int[np.ndarray, " g"], group: Callable[[int], pa.Table]
) -> pa.Table:
    of_group = np.searchsorted(starts, rows, side="right") - 1
    order = np.argsort(of_group, kind="stable")
    parts = []
    for number in np.unique(of_group):
        wanted = order[of_group[order] == number]
        parts.append(group(int(number)).take(pa.array(rows[wanted] - starts[number])))
    back = np.empty(len(rows), dtype=np.int64)
    back[order] = np.arange(len(rows))
    return pa.concat_tables(parts).take(pa.array(back))
