"""Pool images nearest to the class's own images in CLIP space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.near_duplicate_limit import NearDuplicateLimit, limit_near_duplicates
from retrieval_vs_diffusion.strategies.ranked_rows import ranked_rows
from retrieval_vs_diffusion.strategies.ranking import Ranked, check_same_clip, rank_pool
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip


@part
class ByImage:
    """Nearest neighbours of each original (as in Neural Priming, Wallingford et al. 2023, arXiv 2306.10191).

    A pool image goes to the one class that has the original it is nearest to.

    Args:
        merge: ``best_similarity`` orders all neighbours by their nearest original; ``rank`` takes each
            original's nearest first, then each one's second, so that no original supplies most of a class.
        similarity_floor: least cosine similarity to the nearest original.
        near_duplicates: how many of a group that look alike a class may get.
    """

    merge: Literal["best_similarity", "rank"] = "rank"
    similarity_floor: Annotated[float, Field(ge=-1, le=1)] = -1.0
    near_duplicates: NearDuplicateLimit = field(default_factory=NearDuplicateLimit)

    @property
    def needs(self) -> tuple[str, ...]:
        """The pool, what it is searched with, and whose neighbours are sought."""
        return ("clip", "pool", "index", "originals")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """Nothing: names are not used."""
        return ()

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield the images of ranks ``first`` to ``first + wanted - 1`` of each class."""
        clip, pool, index = (surroundings.resources[name] for name in ("clip", "pool", "index"))
        check_same_clip(index, clip)
        originals = originals_by_class(clip, surroundings)
        thin = limit_near_duplicates(pool, index, self.near_duplicates)

        def search(ranks: Mapping[int, int], floor: float) -> dict[int, Ranked]:
            return rank_pool(
                originals,
                lambda vectors: similarity_to_nearest(vectors, originals),
                index,
                ranks,
                floor,
                thin,
                merge_by_rank=self.merge == "rank",
                left_out=pool.left_out,
            )

        names = surroundings.class_names
        yield from ranked_rows(
            pool, search, wanted, first, self.similarity_floor, lambda label: f"[the originals of {names[label]}]"
        )


def originals_by_class(clip: Clip, surroundings: Surroundings) -> list[Float[np.ndarray, "_ d"]]:
    """Embeddings of each class's originals, by label; without those that CLIP makes no finite numbers of.

    Raises:
        UserError: if a class has none left.
    """
    originals = surroundings.resources["originals"]
    embedded, labels = clip.embed_table(originals), originals.labels()
    whole = embedded.any(axis=1)
    by_class = [embedded[whole & (labels == label)] for label in range(len(surroundings.class_names))]
    for name, own in zip(surroundings.class_names, by_class, strict=True):
        if not len(own):
            raise UserError(
                f'{surroundings.strategy}: class "{name}" has no original of which {clip.name} makes finite numbers; '
                "bring CLIP's weights again, or other originals"
            )
    return by_class


def similarity_to_nearest(
    vectors: Float[np.ndarray, "m d"], originals: list[Float[np.ndarray, "_ d"]]
) -> Float[np.ndarray, "m c"]:
    """Similarity of vectors to the nearest original of each class, all in one product: classes may be a thousand."""
    starts = np.cumsum([0, *(len(own) for own in originals[:-1])])
    return np.maximum.reduceat(vectors @ np.concatenate(originals).T, starts, axis=1)
