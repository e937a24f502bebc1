"""The study's winner: pool images nearest to the class prompt in CLIP space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.near_duplicate_limit import NearDuplicateLimit, limit_near_duplicates
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.ranked_rows import ranked_rows
from retrieval_vs_diffusion.strategies.ranking import Ranked, Thinning, check_same_clip, rank_pool, sphere_mean
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import VectorIndex


@part
class ByText:
    """Nearest neighbours of the class prompt (Burg et al. 2023).

    A pool image goes to the one class whose prompt it is nearest to. The selection is deterministic: it
    changes only when prompts, pool or CLIP do.

    Args:
        prompts: templates; their embeddings are averaged on the sphere (Radford et al. 2021).
        similarity_floor: least cosine similarity of a retrieved image.
        near_duplicates: how many of a group that look alike a class may get.
    """

    prompts: Templates = ("a photo of a {name}",)
    similarity_floor: Annotated[float, Field(ge=-1, le=1)] = -1.0
    near_duplicates: NearDuplicateLimit = field(default_factory=NearDuplicateLimit)

    @property
    def needs(self) -> tuple[str, ...]:
        """The pool, and what it is searched with."""
        return ("clip", "pool", "index")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield the images of ranks ``first`` to ``first + wanted - 1`` of each class."""
        clip, pool, index = (surroundings.resources[name] for name in ("clip", "pool", "index"))
        check_same_clip(index, clip)
        queries = class_queries(clip, self.prompts, surroundings)
        thin = limit_near_duplicates(pool, index, self.near_duplicates)

        def search(ranks: Mapping[int, int], floor: float) -> dict[int, Ranked]:
            return rank_by_text(queries, index, ranks, floor, thin, pool.left_out)

        template, fields = prompts.expand(self.prompts)[0], surroundings.fields()
        yield from ranked_rows(
            pool,
            search,
            wanted,
            first,
            self.similarity_floor,
            lambda label: prompts.fill(template, fields[label]),
        )


def rank_by_text(
    queries: Float[np.ndarray, "c d"],
    index: VectorIndex,
    ranks: Mapping[int, int],
    floor: float,
    thin: Thinning,
    left_out: Int[np.ndarray, " n"],
) -> dict[int, Ranked]:
    """Rank the pool for classes with one query each."""
    return rank_pool(
        list(queries[:, None]), lambda vectors: vectors @ queries.T, index, ranks, floor, thin, left_out=left_out
    )


def class_queries(clip: Clip, templates: Templates, surroundings: Surroundings) -> Float[np.ndarray, "c d"]:
    """The prompt ensemble of each class, averaged on the sphere."""
    expanded = prompts.expand(templates)
    texts = [prompts.fill(template, fields) for fields in surroundings.fields() for template in expanded]
    embedded = clip.embed_texts(texts).reshape(len(surroundings.class_names), len(expanded), -1)
    return np.stack([sphere_mean(each) for each in embedded])
