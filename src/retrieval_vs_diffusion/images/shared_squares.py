"""Images of one size as they are handed to other processes: those read them from the disk, and none has a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retrieval_vs_diffusion.images.kept_squares import HeldSquares, Squares


class MappedSquares(HeldSquares):
    """Images in a ``.npy`` file that is mapped into memory: all processes share its pages.

    Args:
        path: the file; what is written to the array does not reach it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Not "r": PyTorch warns of arrays that cannot be written to.
        super().__init__(np.load(path, mmap_mode="c", allow_pickle=False))

    def __reduce__(self) -> tuple[type[MappedSquares], tuple[Path]]:
        return MappedSquares, (self._path,)


def shared(squares: Squares, path: Path) -> Squares:
    """The same images; pickled they take their places along, and no decoded pixel.

    Args:
        squares: as ``training_squares`` gives them; those in memory are written to a file.
        path: of that file, which must stay as long as the images are used.
    """
    if not isinstance(squares, HeldSquares):
        return squares
    with path.open("wb") as file:
        np.save(file, squares.images, allow_pickle=False)
    return MappedSquares(path)
