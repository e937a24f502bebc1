"""The k best of many rows for each query, kept while the rows go by."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_EMPTY = np.iinfo(np.int64).min  # below the key of every similarity, -inf too
MOST_ROWS = 2**32
_LAST = MOST_ROWS - 1  # the highest row that a key can hold
_LEAST_WAITING = 2**16
_QUERIES_AT_ONCE = 1024  # whose keys are compared with those of another one together


class RunningBest:
    """The k rows of highest similarity of each query; of equals the lowest rows.

    A row's key is one integer: the similarity's bits, in an order in which integers compare as the similarities do,
    above the row counted from behind. So comparing keys settles ties too. What came since the last merge waits in a
    list: a merge for each handful of rows would cost more than the product that found them.

    Args:
        queries: their number.
        k: rows that are kept of each.
    """

    def __init__(self, queries: int, k: int) -> None:
        self._keys = np.full((queries, k), _EMPTY, dtype=np.int64)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._number = 0
        self._most_waiting = max(_LEAST_WAITING, queries * k // 2)
        # The least similarity that a row must have to be among the best of each query, as far as is known.
        self.floors = np.full(queries, -np.inf, dtype=np.float32)

    def add(self, queries: Int[np.ndarray, " m"], rows: Int[np.ndarray, " m"], found: Float[np.ndarray, " m"]) -> None:
        """Let rows of queries take part, each with its similarity, none of them NaN.

        Raises:
            ValueError: if a row is 2^32 or more.
        """
        if not len(rows):
            return
        if rows.max() > _LAST:
            raise ValueError(f"row {rows.max()}: a search keeps rows up to {_LAST}")
        self._waiting.append((queries, _keys_of(found, rows)))
        self._number += len(rows)
        if self._number > self._most_waiting or np.isneginf(self.floors).any():
            self.merge()

    def merge(self) -> None:
        """Take in what waits, and raise the floors."""
        if not self._waiting:
            return
        queries = np.concatenate([queries for queries, _ in self._waiting])
        keys = np.concatenate([keys for _, keys in self._waiting])
        self._waiting, self._number = [], 0
        order = np.argsort(queries, kind="stable")
        queries, keys = queries[order], keys[order]
        affected, starts = np.unique(queries, return_index=True)
        k = self._keys.shape[1]
        for query, new in zip(affected, np.split(keys, starts[1:]), strict=True):
            together = np.concatenate([self._keys[query], new])
            together.partition(len(together) - k)
            self._keys[query] = together[-k:]
        self._raise_floors(affected)

    def _raise_floors(self, queries: Int[np.ndarray, " m"] | slice) -> None:
        worst = self._keys[queries].min(axis=1)
        self.floors[queries] = np.where(worst == _EMPTY, -np.inf, _similarities_of(worst))

    @property
    def keys(self) -> Int[np.ndarray, "q k"]:
        """Keys of each query's best rows, in no order; ``add_keys`` of another one takes them."""
        self.merge()
        return self._keys

    def add_keys(self, keys: Int[np.ndarray, "q n"]) -> None:
        """Let rows take part that another one, of the same queries, found best of rows of its own."""
        self.merge()
        k = self._keys.shape[1]
        for start in range(0, len(keys), _QUERIES_AT_ONCE):
            some = slice(start, start + _QUERIES_AT_ONCE)
            together = np.concatenate([self._keys[some], keys[some]], axis=1)
            together.partition(together.shape[1] - k, axis=1)
            self._keys[some] = together[:, -k:]
        self._raise_floors(slice(None))

    def sorted(self) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
        """Similarities and rows, best first; where there were fewer than k, -inf and row -1 at the end."""
        self.merge()
        keys = np.sort(self._keys, axis=1)[:, ::-1]
        empty = keys == _EMPTY
        similarities = np.where(empty, np.float32(-np.inf), _similarities_of(keys))
        return similarities, np.where(empty, -1, _LAST - (keys & _LAST))


def _keys_of(similarities: Float[np.ndarray, " m"], rows: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    bits = (similarities.astype(np.float32) + np.float32(0)).view(np.int32)  # adding 0 makes -0 and 0 equal
    return (_ordered(bits).astype(np.int64) << 32) | (_LAST - rows)


def _similarities_of(keys: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(_ordered((keys >> 32).astype(np.int32))).view(np.float32)


def _ordered(bits: np.ndarray) -> np.ndarray:
    """Bits of floats to integers of the same order, and back: the magnitude of negative ones counts downwards."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
