"""The protected pictures, and which of them a picture copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from retrieval_vs_diffusion.images.copies.descriptors import STARTS, WIDTH, describe, describe_windows, windows_at
from retrieval_vs_diffusion.images.copies.detail import Detail
from retrieval_vs_diffusion.images.copies.pictures import SIDE, grey_picture
from retrieval_vs_diffusion.images.copies.registration import agreement, register
from retrieval_vs_diffusion.images.copies.windows import Windows, cut

CANDIDATES = 10  # protected pictures that each picture is laid over
FLOOR = 0.75  # similarity of descriptors below which two pictures are not laid over each other
HALFWAY = 0.6  # agreement below which a registration is not brought to its end
_EXACT_UP_TO = 500_000  # descriptors, five a protected picture; more are searched by an inverted index
_READ_SHARE = 1 / 16  # of the inverted lists
_TRAINED_ON = 64  # descriptors a list
AT_ONCE = 512  # pictures searched, and described, together
_PAIRS_AT_ONCE = 512


class Candidates(NamedTuple):
    """Pairs of a picture and a protected one that may be the same, in the order of the pictures."""

    picture: Int[np.ndarray, " n"]
    protected: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]  # which of STARTS
    mirrored: Int[np.ndarray, " n"]


class CopyIndex:
    """How much pictures are copies of a fixed set of protected pictures.

    The cost of a picture is a search of five small vectors for each protected one, and at most ``CANDIDATES``
    registrations, however many are protected.

    Args:
        protected: as ``grey_picture`` makes them.
        side: short side of the images that they were made of, in pixels; any from 32 on are the same.
    """

    def __init__(self, protected: UInt8[np.ndarray, "m 32 32"], side: int = SIDE) -> None:
        self._protected = protected
        self._detail = Detail(side)
        self._index = _indexed(protected) if len(protected) else None

    def nearest(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> tuple[Float[np.ndarray, " n"], list[int]]:
        """For each image how well it agrees with a protected one at best, -1 to 1, and with which.

        An image that nothing protected is like in its lowest frequencies has -1.
        """
        return self.nearest_to_pictures([grey_picture(image) for image in images])

    def nearest_to_pictures(
        self, pictures: Sequence[UInt8[np.ndarray, "32 32"]]
    ) -> tuple[Float[np.ndarray, " n"], list[int]]:
        """The same of images of which only the grey pictures are there: a kilobyte each, however large they were."""
        similarity = np.full(len(pictures), -1.0)
        which = np.zeros(len(pictures), dtype=np.int64)
        for start in range(0, len(pictures), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            together = np.array(pictures[part], np.float32).reshape(-1, SIDE, SIDE)
            similarity[part], which[part] = self._nearest(together)
        return similarity, which.tolist()

    def _nearest(self, pictures: Float[np.ndarray, "n 32 32"]) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        similarity = np.full(len(pictures), -1.0)
        which = np.zeros(len(pictures), dtype=np.int64)
        pairs = self.candidates(pictures)
        agree = self.verified(pictures, pairs)
        # Of two that agree as well the first protected one: the last to be written is the best.
        for row in np.lexsort((-pairs.protected, agree)):
            similarity[pairs.picture[row]], which[pairs.picture[row]] = agree[row], pairs.protected[row]
        return similarity, which

    def candidates(self, pictures: Float[np.ndarray, "n 32 32"]) -> Candidates:
        """The protected pictures that each picture, or its mirror image, is most like in its low frequencies."""
        if self._index is None or not len(pictures):
            return Candidates(*(np.zeros(0, dtype=np.int64) for _ in Candidates._fields))
        # A protected picture may be found five times, by each of its windows.
        number = min(len(STARTS) * CANDIDATES, self._index.ntotal)
        found = [self._index.search(describe(each), number) for each in (pictures, pictures[:, :, ::-1])]
        alike = np.concatenate([similarity.ravel() for similarity, _ in found])
        entry = np.concatenate([entries.ravel() for _, entries in found])
        picture = np.tile(np.repeat(np.arange(len(pictures)), number), 2)
        mirrored = np.repeat([0, 1], len(pictures) * number)
        kept = (entry >= 0) & (alike >= FLOOR)
        alike, entry, picture, mirrored = alike[kept], entry[kept], picture[kept], mirrored[kept]
        protected, start = np.divmod(entry, len(STARTS))
        order = np.lexsort((-alike, protected, picture))
        order = order[_first_of_each(picture[order], protected[order])]  # each pair once, as it is most alike
        order = order[np.lexsort((-alike[order], picture[order]))]
        ranks = np.arange(len(order)) - np.searchsorted(picture[order], picture[order])
        order = order[ranks < CANDIDATES]
        return Candidates(picture[order], protected[order], start[order], mirrored[order])

    def verified(self, pictures: Float[np.ndarray, "n 32 32"], pairs: Candidates) -> Float[np.ndarray, " p"]:
        """How well the pictures of each pair agree once they lie over each other."""
        agree = np.zeros(len(pairs.picture))
        details = self._detail(pictures)
        for first in range(0, len(agree), _PAIRS_AT_ONCE):
            part = slice(first, first + _PAIRS_AT_ONCE)
            rows, flipped = pairs.picture[part], pairs.mirrored[part, None, None] == 1
            these, those = (np.where(flipped, each[rows][:, :, ::-1], each[rows]) for each in (pictures, details))
            others = self._protected[pairs.protected[part]].astype(np.float32)
            agree[part] = self._agree_at_best(these, those, others, windows_at(pairs.start[part]))
        return agree

    def _agree_at_best(
        self,
        pictures: Float[np.ndarray, "n 32 32"],
        details: Float[np.ndarray, "n 32 32"],
        others: Float[np.ndarray, "n 32 32"],
        start: Windows,
    ) -> Float[np.ndarray, " n"]:
        windows = register(pictures, others, start)
        agree = self._agree(details, others, windows)
        near = np.flatnonzero(agree >= HALFWAY)
        windows = register(pictures[near], others[near], Windows(*(each[near] for each in windows)))
        agree[near] = self._agree(details[near], others[near], windows)
        return agree

    def _agree(
        self, details: Float[np.ndarray, "n 32 32"], others: Float[np.ndarray, "n 32 32"], windows: Windows
    ) -> Float[np.ndarray, " n"]:
        seen, inside = cut(others, windows)
        return agreement(details, self._detail(seen), inside)


def _first_of_each(*sorted_keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Positions at which a row of keys differs from the one before it."""
    changed = np.zeros(len(sorted_keys[0]), dtype=bool)
    changed[:1] = True
    for key in sorted_keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def _indexed(protected: UInt8[np.ndarray, "m 32 32"]) -> Any:
    """A FAISS index of five descriptors a picture, by inner product."""
    import faiss

    blocks = [protected[start : start + AT_ONCE] for start in range(0, len(protected), AT_ONCE)]
    vectors = np.concatenate([describe_windows(block.astype(np.float32)) for block in blocks])
    index: Any = faiss.IndexFlatIP(WIDTH)
    if len(vectors) > _EXACT_UP_TO:
        lists = int(np.sqrt(len(vectors)))
        index = faiss.IndexIVFFlat(index, WIDTH, lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(1, round(lists * _READ_SHARE))
        index.train(vectors[:: max(1, len(vectors) // (_TRAINED_ON * lists))])
    index.add(vectors)
    return index
