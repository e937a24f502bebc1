"""What a survey found, in a form that a file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.planning.pool_survey import PoolSample
from retrieval_vs_diffusion.planning.target_survey import TargetSample


@dataclass(frozen=True)
class SurveyedPool:
    """A pool's size.

    Args:
        rows: images, or links.
        exact: whether they were counted; else they are an estimate.
        how: what tells, in words.
        usable_share: of the sample those that can be used.
        links: whether images are downloaded when they are chosen.
        given_index: whether it came with an index.
        sample: images that were looked at.
        seconds_an_image: to read one.
        image_bytes: of a row of its table.
    """

    rows: int
    exact: bool
    how: str
    usable_share: float
    links: bool
    given_index: bool
    sample: int
    seconds_an_image: float
    image_bytes: float

    @property
    def usable(self) -> int:
        """Rows that a table of it will have; of links none is dropped."""
        return self.rows if self.links else round(self.rows * self.usable_share)


@dataclass(frozen=True)
class Surveyed:
    """What there is.

    Args:
        classes: of the target, by label.
        images: of the target by part (``test``, ``val``, ``reservoir``): the images of each label.
        tried: labels of the classes that the pilot tries.
        seconds_an_image: to read an image of the target.
        image_bytes: of a row of its tables.
        pool: None without one.
    """

    classes: tuple[str, ...]
    images: Mapping[str, tuple[int, ...]]
    tried: tuple[int, ...]
    seconds_an_image: float
    image_bytes: float
    pool: SurveyedPool | None = None

    def count(self, part: str) -> int:
        """Images of a part of the target."""
        return sum(self.images[part])

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Surveyed:
        """From what ``to_dict`` gave."""
        return TypeAdapter(cls).validate_python(dict(values))


def surveyed(target: TargetSample, pool: PoolSample | None) -> Surveyed:
    """Both surveys in numbers."""
    tables = target.parts.values()
    stored, rows = sum(table.table.nbytes for table in tables), sum(len(table) for table in tables)
    found = None
    if pool is not None:
        ledger = pool.images.ledger
        found = SurveyedPool(
            rows=pool.size.rows,
            exact=pool.size.exact,
            how=pool.size.how,
            usable_share=pool.usable_share,
            links=ledger.get("kind") == LINKS,
            given_index=bool(ledger.get("index")),
            sample=len(pool.images),
            seconds_an_image=pool.seconds_an_image,
            image_bytes=pool.images.table.nbytes / max(1, len(pool.images)),
        )
    return Surveyed(
        classes=target.survey.classes,
        images={part: tuple(counts) for part, counts in target.survey.images_by_part.items()},
        tried=target.labels,
        seconds_an_image=target.seconds_an_image,
        image_bytes=stored / max(1, rows),
        pool=found,
    )
