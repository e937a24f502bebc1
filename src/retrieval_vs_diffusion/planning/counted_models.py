"""A diffusion model and an index that count what they are asked for: a pilot is told what a batch took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.models.sampling import Sampling


@dataclass
class Work:
    """What was asked of models so far.

    Args:
        images: that the diffusion model was asked for.
        batches: that it ran; each is padded to the batch size and takes as long as a full one.
        batch_size: images of a batch.
        generating: seconds in them.
        queries: that an index was searched with.
        searching: seconds of the search.
    """

    images: int = 0
    batches: int = 0
    batch_size: int = 1
    generating: float = 0.0
    queries: int = 0
    searching: float = 0.0


class CountedDiffusion:
    """A diffusion model, in all else itself.

    Args:
        diffusion: the model.
        work: is added to.
    """

    def __init__(self, diffusion: Any, work: Work) -> None:
        self._diffusion, self._work = diffusion, work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._diffusion, name)

    def to(self, device: Any) -> CountedDiffusion:
        """The same on another device."""
        return CountedDiffusion(self._diffusion.to(device), self._work)

    def text_to_image(self, conditions: Any, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        """As the model does."""
        made = self._diffusion.text_to_image(conditions, *arguments, **keywords)
        return self._timed(made, len(conditions), (*arguments, *keywords.values()))

    def image_to_image(self, conditions: Any, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        """As the model does."""
        made = self._diffusion.image_to_image(conditions, *arguments, **keywords)
        return self._timed(made, len(conditions), (*arguments, *keywords.values()))

    def _timed(self, made: Iterator[Any], images: int, given: tuple[Any, ...]) -> Iterator[Any]:
        size = next(each.batch_size for each in given if isinstance(each, Sampling))
        self._work.images += images
        self._work.batches += -(-images // size)
        self._work.batch_size = size
        while True:
            started = time.perf_counter()
            image = next(made, None)
            self._work.generating += time.perf_counter() - started
            if image is None:
                return
            yield image


class CountedIndex:
    """A vector index, in all else itself.

    Args:
        index: the index.
        work: is added to.
    """

    def __init__(self, index: Any, work: Work) -> None:
        self._index, self._work = index, work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def exact(self) -> bool:
        """Said to be False: of so small a pool an exact search would look at all rows, and ask for no neighbours."""
        return False

    def with_embeddings(self, embeddings: Any) -> CountedIndex:
        """The same with these vectors."""
        return CountedIndex(self._index.with_embeddings(embeddings), self._work)

    def search(self, queries: Any, k: int) -> Any:
        """As the index does."""
        started = time.perf_counter()
        found = self._index.search(queries, k)
        self._work.searching += time.perf_counter() - started
        self._work.queries += len(queries)
        return found
