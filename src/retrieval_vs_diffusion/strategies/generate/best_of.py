"""More images than are needed, of which those are kept that retrieval would choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.spooled_rows import SpooledRows
from retrieval_vs_diffusion.parts import build_part, part
from retrieval_vs_diffusion.strategies.retrieve.by_text_and_image import ByTextAndImage
from retrieval_vs_diffusion.strategies.source import Surroundings, class_fields_of, consumes_previous
from retrieval_vs_diffusion.unfinished import unfinished

_READ_AT_ONCE = 256  # images


def _generator(entry: Any) -> Any:
    if not isinstance(entry, Mapping) or entry.get("type") == "best_of":
        raise UserError(f"generator: found {entry!r}; the entry of another generator will do")
    generator = build_part("retrieval_vs_diffusion.strategies.generate", entry, "generator")
    if isinstance(generator, BestOf):  # by its dotted name
        raise UserError(f"generator: found {entry!r}; the entry of another generator will do")
    return generator


def _score(entry: Any) -> Any:
    if not isinstance(entry, Mapping) or "type" in entry:
        raise UserError(f"score: found {entry!r}; fields of by_text_and_image will do")
    score = build_part("retrieval_vs_diffusion.strategies.retrieve", {"type": "by_text_and_image", **entry}, "score")
    if without_effect := sorted(entry.keys() - {"prompts"}):
        raise UserError(f"score.{without_effect[0]}: has no effect on the score; prompts alone has")
    return score


@part
class BestOf:
    """Generate several times what is needed and keep the best by retrieval's own score.

    A pool that is searched offers many images for each one that is taken; a generator that may not
    choose is compared unlike with like. This offers it the same choice as ``by_text_and_image``.

    Args:
        generator: another generate step.
        candidates_per_image: images made for each one that is kept.
        score: ``prompts`` of the score, by default those of ``by_text_and_image``.
    """

    # Parts, not their entries: their code counts in the fingerprint of what is made.
    generator: Annotated[Any, BeforeValidator(_generator)]
    candidates_per_image: Annotated[int, Field(ge=2)] = 4
    score: Annotated[Any, BeforeValidator(_score)] = field(default_factory=ByTextAndImage)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the generator needs, and what the score needs of it: CLIP and the originals."""
        return tuple(dict.fromkeys((*self.generator.needs, "clip", "originals")))

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the prompts of either ask for."""
        return tuple(dict.fromkeys((*class_fields_of(self.generator), *self.score.class_fields)))

    @property
    def consumes_previous(self) -> bool:
        """As the generator does."""
        return consumes_previous(self.generator)

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield the best of the candidates of each class, best first.

        Images asked for later come from candidates of their own: what was kept before stays.
        """
        times = self.candidates_per_image
        more = {label: times * count for label, count in wanted.items()}
        spooled = SpooledRows(unfinished().scratch)  # of the candidates most are dropped again
        positions: dict[int, list[int]] = {label: [] for label in wanted}
        for row in self.generator.propose(more, {label: times * first[label] for label in wanted}, surroundings):
            positions[row["label"]].append(spooled.add(row))
        candidates = spooled.table(range(len(spooled)))
        embedded = surroundings.resources["clip"].embed_table(candidates)
        right_class, look = self.score.scores(embedded, surroundings)
        for label, count in wanted.items():
            own = positions[label]
            own.sort(
                # A broken embedding is zeros, which would be more alike than what points away.
                key=lambda position: (
                    not embedded[position].any(),
                    right_class[position] != label,
                    -look[position, label],
                )
            )
            for start in range(0, min(count, len(own)), _READ_AT_ONCE):
                best = own[start : min(start + _READ_AT_ONCE, count)]
                for position, row in zip(best, candidates.rows(best), strict=True):
                    yield {**row, "similarity": float(look[position, label])}
