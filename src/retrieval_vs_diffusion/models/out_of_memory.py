"""A GPU out of memory: the batch is halved and the work goes on."""

from __future__ import annotations

import contextlib
import gc
import logging
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from retrieval_vs_diffusion.errors import UserError

logger = logging.getLogger(__name__)

# As CUDA, HIP, MPS, cuBLAS, cuDNN and FAISS (cudaMalloc) say it, mostly in a plain RuntimeError.
_SAID = re.compile(
    r"(CUDA|HIP|MPS|cudaMalloc|GpuMemory|GpuResources).*out of memory|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED", re.DOTALL
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU had no memory left; never so for the machine's own memory, where less at once seldom helps."""
    # torch.cuda.OutOfMemoryError by name: what only asks need not load PyTorch.
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or _SAID.search(str(error)) is not None
    )


class SmallerBatches:
    """Makes batches of a size, or of the largest half, quarter, ... of it that the GPU has memory for.

    A size that did not fit is not tried again. Each part of a batch has one size, the last filled up with its
    last position, so what is made is what a smaller batch size would have made: equal to the bit to that, and
    to the larger size but for the last bits, as sums of other shapes are rounded otherwise.

    Args:
        what: is made, in the plural, e.g. ``images of 512 pixels``.
        remedy: what would do where not even one fits.
        parameter: sets the batch size, e.g. ``sampling.batch_size``; None where nothing does.
        padded: whether what is made depends on the batch's shape in its last bits, so that all have one.

    Example:
        >>> SmallerBatches("squares", "device: cpu")(lambda batch: np.array(batch) ** 2, [3, 4, 5], 2)
        array([ 9, 16, 25])
    """

    def __init__(self, what: str, remedy: str, parameter: str | None = None, padded: bool = False) -> None:
        self._what, self._remedy, self._parameter, self._padded = what, remedy, parameter, padded
        self._fitting: int | None = None

    def __call__(
        self, make: Callable[[list[int]], np.ndarray], positions: Sequence[int], batch_size: int
    ) -> np.ndarray:
        """What ``make`` makes of the positions, in their order.

        Args:
            make: makes an array with a row for each of the positions that it is given; may be called again with
                fewer of them after it failed.
            positions: at least one.
            batch_size: how many are made at once while memory lasts.

        Raises:
            UserError: if the GPU has no memory for one.
        """
        made: list[np.ndarray] = []
        done = 0
        while done < len(positions):
            size = min(batch_size, self._fitting or batch_size)
            batch = list(positions[done : done + size])
            filling = [batch[-1]] * (size - len(batch)) if self._padded else []
            try:
                part = make(batch + filling)
            except RuntimeError as error:  # torch.cuda.OutOfMemoryError is one
                if not is_out_of_memory(error):
                    raise
                self._shrink(len(batch + filling), error)
            else:
                made.append(part[: len(batch)])
                done += len(batch)
                continue
            # Only here: while the error is handled, its traceback holds what the failed try had made.
            _free()
        return np.concatenate(made)

    def _shrink(self, failed: int, error: RuntimeError) -> None:
        if failed == 1:
            raise UserError(
                f"the GPU has no memory for one of the {self._what} alone ({_first_line(error)}); {self._remedy}"
            ) from error
        self._fitting = failed // 2
        advice = f"; {self._parameter}: {self._fitting} saves the failed try" if self._parameter else ""
        logger.warning(
            "The GPU has no memory for %d %s at once: going on with %d at a time%s",
            failed,
            self._what,
            self._fitting,
            advice,
        )


@contextlib.contextmanager
def told(remedy: str) -> Iterator[None]:
    """Tell in a line that the GPU is out of memory and what would do, where a smaller batch would change the result.

    Raises:
        UserError: if the GPU is out of memory meanwhile.

    Example:
        >>> with told("lower the batch size"):
        ...     raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        Traceback (most recent call last):
        ...
        UserError: the GPU is out of memory (CUDA out of memory. Tried to allocate 2.00 GiB); lower the batch size
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"the GPU is out of memory ({_first_line(error)}); {remedy}") from error


def _first_line(error: RuntimeError) -> str:
    """The first two sentences at most: PyTorch goes on with advice on its allocator."""
    sentences = re.split(r"(?<=\.)\s+", " ".join(str(error).split()))
    return " ".join(sentences[:2])[:160].rstrip(".") or type(error).__name__


def _free() -> None:
    """Give the memory of the failed try back to the GPU, whole: its pieces would be of the wrong sizes."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
