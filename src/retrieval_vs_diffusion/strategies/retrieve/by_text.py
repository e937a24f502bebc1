"""The study's winner: pool images nearest to the class prompt in CLIP space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_FIRST_SEARCH = 64  # neighbours a class asked for at least; doubled until there are enough


@part
class ByText:
    """Nearest neighbours of the class prompt (Burg et al. 2023).

    A pool image goes to the one class whose prompt it is nearest to. The selection is deterministic: it
    changes only when prompts, pool or CLIP do.

    Args:
        prompts: templates; their embeddings are averaged on the sphere.
        similarity_floor: least cosine similarity of a retrieved image.
    """

    prompts: Templates = ("a photo of a {name}",)
    similarity_floor: Annotated[float, Field(ge=-1, le=1)] = -1.0
    needs: ClassVar[tuple[str, ...]] = ("clip", "pool", "index")

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield the images of ranks ``first`` to ``first + wanted - 1`` of each class."""
        clip, pool, index = (surroundings.resources[name] for name in ("clip", "pool", "index"))
        if index.clip_name != clip.name:
            raise UserError(
                f"the index holds embeddings of {index.clip_name}, the prompts are of {clip.name}: build it again"
            )
        queries = self._queries(clip, surroundings.class_names)
        ranks = {label: first[label] + count for label, count in wanted.items()}
        ranked = nearest_by_class(queries, index, ranks, self.similarity_floor)
        for label in wanted:
            for row, similarity in ranked[label][first[label] : ranks[label]]:
                found = pool.row(row)
                query = prompts.fill(self.prompts[0], surroundings.class_names[label])
                yield {**found, "label": label, "similarity": similarity, "prompt": query}

    def _queries(self, clip: Any, names: tuple[str, ...]) -> Float[np.ndarray, "c d"]:
        texts = [prompts.fill(template, name) for name in names for template in self.prompts]
        embedded = clip.embed_texts(texts).reshape(len(names), len(self.prompts), -1).mean(axis=1)
        return embedded / np.linalg.norm(embedded, axis=1, keepdims=True)


def nearest_by_class(
    queries: Float[np.ndarray, "c d"], index: VectorIndex, wanted: Mapping[int, int], floor: float
) -> dict[int, list[tuple[int, float]]]:
    """For each wanted class its pool rows by falling similarity, each row in its nearest class alone.

    Searches deeper until every class has ``wanted[label]`` rows, or nothing above ``floor`` is left.
    """
    depth = min(len(index), max(_FIRST_SEARCH, 2 * max(wanted.values())))
    while True:
        similarities, rows = index.search(queries, depth)
        ranked: dict[int, list[tuple[int, float]]] = {}
        for label in wanted:
            to_all = index.vectors(rows[label]) @ queries.T
            own = (to_all.argmax(axis=1) == label) & (similarities[label] >= floor)
            ranked[label] = list(zip(rows[label][own].tolist(), similarities[label][own].tolist(), strict=True))
        exhausted = depth == len(index)
        enough = all(len(ranked[each]) >= count or similarities[each][-1] < floor for each, count in wanted.items())
        if enough or exhausted:
            return ranked
        depth = min(len(index), 2 * depth)
