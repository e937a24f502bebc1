"""Which vectors come near which queries: a product of blocks, and what of it lies above a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import torch

QUERIES, ROWS = 1024, 2048  # of one product: its 8 MB are compared while they are in the processor's cache

Pairs: TypeAlias = tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]  # places of query and vector


class NearPairs(Protocol):
    """Products of queries with the vectors of one block after the other, in single precision."""

    def load(self, block: Float[np.ndarray, "m d"], broken: Int[np.ndarray, " b"]) -> None:
        """Take a block; its broken vectors are near to nothing."""

    def above(
        self, queries: slice, rows: slice, least: Float[np.ndarray, " q"], errors: Float[np.ndarray, " q"], k: int
    ) -> Pairs:
        """The pairs that may be among the k nearest of their query, by query and then by vector, as places in these.

        Args:
            queries: at most ``QUERIES`` of them.
            rows: at most ``ROWS`` of the block.
            least: of each query a similarity that a vector must have; -inf where none is known yet.
            errors: by how much the product may be off.
            k: of a query without a bound those pairs come that may be among the k nearest of ``rows``.
        """


class CpuPairs:
    """``NearPairs`` by NumPy's product."""

    def __init__(self, queries: Float[np.ndarray, "q d"]) -> None:
        self._queries = queries
        self._block = queries[:0]
        self._broken = np.zeros(0, np.int64)
        self._product = np.empty(min(QUERIES, len(queries)) * ROWS, dtype=np.float32)
        self._is_near = np.empty(len(self._product), dtype=bool)

    def load(self, block: Float[np.ndarray, "m d"], broken: Int[np.ndarray, " b"]) -> None:
        """Take a block."""
        self._block, self._broken = block, broken

    def above(
        self, queries: slice, rows: slice, least: Float[np.ndarray, " q"], errors: Float[np.ndarray, " q"], k: int
    ) -> Pairs:
        """The pairs that may be among the nearest."""
        asked, vectors = self._queries[queries], self._block[rows]
        shape = len(asked), len(vectors)
        product = self._product[: shape[0] * shape[1]].reshape(shape)
        is_near = self._is_near[: product.size].reshape(shape)
        np.matmul(asked, vectors.T, out=product)
        broken = self._broken[(self._broken >= rows.start) & (self._broken < rows.stop)] - rows.start
        product[:, broken] = -np.inf
        bounds = least - errors
        unbounded = np.flatnonzero(np.isneginf(least))
        if len(unbounded) and k <= shape[1]:
            kth = np.partition(product[unbounded], shape[1] - k, axis=1)[:, shape[1] - k]
            bounds[unbounded] = (
                kth - 2 * errors[unbounded]
            )  # the kth of these is no lower than its product less an error
        np.greater_equal(product, bounds[:, None], out=is_near)
        is_near[:, broken] = False
        # A search of the flat array: NumPy's of two dimensions takes 5 times as long.
        return np.divmod(np.flatnonzero(is_near.ravel()), shape[1])


class GpuPairs:
    """``NearPairs`` by torch's product on a GPU; only the pairs that are near come back."""

    def __init__(self, queries: Float[np.ndarray, "q d"], device: torch.device) -> None:
        import torch

        self._device = device
        self._queries = torch.from_numpy(queries).to(device)
        self._block = self._queries[:0]
        self._broken = torch.zeros(0, dtype=torch.int64, device=device)

    def load(self, block: Float[np.ndarray, "m d"], broken: Int[np.ndarray, " b"]) -> None:
        """Take a block to the GPU."""
        import torch

        self._block = torch.from_numpy(block).to(self._device)
        self._broken = torch.from_numpy(broken).to(self._device)

    def above(
        self, queries: slice, rows: slice, least: Float[np.ndarray, " q"], errors: Float[np.ndarray, " q"], k: int
    ) -> Pairs:
        """The pairs that may be among the nearest."""
        import torch

        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")  # TF32 errs by more than ``errors`` says
        try:
            product = self._queries[queries] @ self._block[rows].T
        finally:
            torch.set_float32_matmul_precision(before)
        broken = self._broken[(self._broken >= rows.start) & (self._broken < rows.stop)] - rows.start
        product[:, broken] = -torch.inf
        bounds = torch.from_numpy(least - errors).to(self._device)
        unbounded = torch.from_numpy(np.flatnonzero(np.isneginf(least))).to(self._device)
        if len(unbounded) and k <= product.shape[1]:
            kth = product[unbounded].topk(k, dim=1).values[:, -1]
            bounds[unbounded] = kth - 2 * torch.from_numpy(errors).to(self._device)[unbounded]
        is_near = product >= bounds[:, None]
        is_near[:, broken] = False
        places = is_near.nonzero().cpu().numpy()
        return places[:, 0], places[:, 1]
