"""Pool images near in both: the class by its text, the look by the class's originals."""

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
from retrieval_vs_diffusion.strategies.ranked_rows import rows_below_floor, rows_of
from retrieval_vs_diffusion.strategies.ranking import Ranked, check_same_clip, sphere_mean
from retrieval_vs_diffusion.strategies.retrieve.by_image import originals_by_class
from retrieval_vs_diffusion.strategies.retrieve.by_text import class_queries, rank_by_text
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip


@part
class ByTextAndImage:
    """Candidates by the class prompt, the best of them by how much they look like the originals (ours).

    The text says what an image shows, and no prompt names the target's look; the originals show the
    look, and as queries they also find other classes that look alike. So the text chooses
    ``candidates_per_image`` times what is wanted, and of these the ones nearest to the mean of the class's
    originals are taken.

    Args:
        prompts: templates; their embeddings are averaged on the sphere.
        candidates_per_image: images found by text for each one that is taken; 1 is retrieval by text.
        similarity_floor: least cosine similarity to the prompt.
        near_duplicates: how many of a group that look alike a class may get.
    """

    prompts: Templates = ("a photo of a {name}",)
    candidates_per_image: Annotated[int, Field(ge=1)] = 4
    similarity_floor: Annotated[float, Field(ge=-1, le=1)] = -1.0
    near_duplicates: NearDuplicateLimit = field(default_factory=NearDuplicateLimit)

    @property
    def needs(self) -> tuple[str, ...]:
        """The pool, what it is searched with, and whose look is sought."""
        return ("clip", "pool", "index", "originals")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield the best of each class's candidates.

        Images asked for later come from candidates of their own, the next by text: what was taken before stays.
        """
        clip, pool, index = (surroundings.resources[name] for name in ("clip", "pool", "index"))
        check_same_clip(index, clip)
        queries = class_queries(clip, self.prompts, surroundings)
        times = self.candidates_per_image
        depth = {label: times * (first[label] + count) for label, count in wanted.items()}
        thin = limit_near_duplicates(pool, index, self.near_duplicates)

        def search(ranks: Mapping[int, int], floor: float) -> dict[int, Ranked]:
            return rank_by_text(queries, index, ranks, floor, thin, pool.left_out)

        template, fields = prompts.expand(self.prompts)[0], surroundings.fields()
        looks = _looks(clip, surroundings)

        def query_of(label: int) -> str:
            return f"{prompts.fill(template, fields[label])} [in the look of the originals]"

        by_text = search(depth, self.similarity_floor)
        taken = {}
        for label, count in wanted.items():
            rows = [row for row, _ in by_text[label][times * first[label] : depth[label]]]
            look = index.vectors(np.array(rows, dtype=np.int64)) @ looks[label]
            ranked = [(rows[position], float(look[position])) for position in np.argsort(-look, kind="stable")[:count]]
            taken[label] = len(ranked)
            yield from rows_of(pool, ranked, label, query_of(label))
        above = {label: len(by_text[label]) for label in wanted}
        short_by = {label: count - taken[label] for label, count in wanted.items()}
        yield from rows_below_floor(pool, search, above, short_by, self.similarity_floor, query_of)

    def scores(
        self, embedded: Float[np.ndarray, "m d"], surroundings: Surroundings
    ) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m c"]]:
        """The class whose prompt each image is nearest to, and its similarity to each class's mean original."""
        clip = surroundings.resources["clip"]
        queries = class_queries(clip, self.prompts, surroundings)
        return (embedded @ queries.T).argmax(axis=1), embedded @ _looks(clip, surroundings).T


def _looks(clip: Clip, surroundings: Surroundings) -> Float[np.ndarray, "c d"]:
    """The mean original of each class."""
    return np.stack([sphere_mean(own) for own in originals_by_class(clip, surroundings)])
