"""Image rows of a ranked pool: those above the floor, and a look at those that it keeps out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from retrieval_vs_diffusion.images.pool import Pool
from retrieval_vs_diffusion.strategies.ranking import LOWEST_SIMILARITY, Search

_READ_AT_ONCE = 256  # images
_TRIES = 6  # at downloading more of a class whose links are dead, each for as many as should suffice


def rows_of(pool: Pool, ranked: Iterable[tuple[int, float]], label: int, query: str) -> Iterator[dict[str, Any]]:
    """Image rows of ranked pool rows: labelled, with their similarity and what found them."""
    listed = list(ranked)
    for start in range(0, len(listed), _READ_AT_ONCE):
        part = listed[start : start + _READ_AT_ONCE]
        for row, (_, similarity) in zip(pool.rows([row for row, _ in part]), part, strict=True):
            yield {**row, "label": label, "similarity": similarity, "prompt": query}


def ranked_rows(
    pool: Pool,
    search: Search,
    wanted: Mapping[int, int],
    first: Mapping[int, int],
    floor: float,
    query_of: Callable[[int], str],
) -> Iterator[dict[str, Any]]:
    """The images of ranks ``first`` to ``first + wanted - 1`` of each class, then those that the floor keeps out.

    Of a pool of links more ranks are taken for those that are dead; the dead are among the rows, and say so.

    Args:
        pool: the images.
        search: ranks them.
        wanted: images of each class.
        first: images of each class that were brought before.
        floor: least similarity.
        query_of: what finds the images of a class, in words.
    """
    ranks = {label: first[label] + count for label, count in wanted.items()}
    if pool.is_downloaded:
        yield from _alive_rows(pool, search, wanted, first, floor, query_of)
        return
    ranked = search(ranks, floor)
    for label in wanted:
        yield from rows_of(pool, ranked[label][first[label] : ranks[label]], label, query_of(label))
    above = {label: len(ranked[label]) for label in wanted}
    short_by = {label: ranks[label] - max(above[label], first[label]) for label in wanted}
    yield from rows_below_floor(pool, search, above, short_by, floor, query_of)


def _alive_rows(
    pool: Pool,
    search: Search,
    wanted: Mapping[int, int],
    first: Mapping[int, int],
    floor: float,
    query_of: Callable[[int], str],
) -> Iterator[dict[str, Any]]:
    """Ranks ``first`` and on of each class until ``wanted`` of them are alive, all classes downloaded together."""
    until = {label: first[label] + math.ceil(count * pool.overfetch) for label, count in wanted.items()}
    for _ in range(_TRIES):
        ranked = search(until, floor)
        chosen = {label: [row for row, _ in ranked[label][first[label] : until[label]]] for label in wanted}
        pool.prefetch([row for rows in chosen.values() for row in rows])
        alive = {label: sum(each.get("refused") is None for each in pool.rows(rows)) for label, rows in chosen.items()}
        tried = sum(len(rows) for rows in chosen.values())
        share = max(0.1, sum(alive.values()) / max(1, tried))
        lacking = {
            label: count - alive[label]
            for label, count in wanted.items()
            if alive[label] < count and len(ranked[label]) >= until[label]  # there are more ranks to try
        }
        if not lacking:
            break
        until |= {label: until[label] + math.ceil(number / share) for label, number in lacking.items()}
    for label, count in wanted.items():
        found = 0
        tries = ranked[label][first[label] : first[label] + len(chosen[label])]  # not what one more try would add
        for row in rows_of(pool, tries, label, query_of(label)):
            if found == count:
                break
            found += row.get("refused") is None
            yield row


def rows_below_floor(
    pool: Pool,
    search: Search,
    above: Mapping[int, int],
    short_by: Mapping[int, int],
    floor: float,
    query_of: Callable[[int], str],
) -> Iterator[dict[str, Any]]:
    """The nearest images that a floor keeps out of the classes that it leaves short, marked as refused.

    They are counted and shown, so that a user sees what the floor keeps out; none is used.

    Args:
        pool: the images.
        search: ranks them.
        above: images of each class above the floor.
        short_by: how many images each class lacks; those that lack none are passed over.
        floor: least similarity.
        query_of: what finds the images of a class, in words.
    """
    deeper = {label: above[label] + lacking for label, lacking in short_by.items() if lacking > 0}
    if not deeper or floor <= LOWEST_SIMILARITY or pool.is_downloaded:  # nothing is downloaded to be refused
        return
    for label, ranked in search(deeper, LOWEST_SIMILARITY).items():
        below = sorted((each for each in ranked if each[1] < floor), key=lambda each: -each[1])
        for row in rows_of(pool, below[: short_by[label]], label, query_of(label)):
            yield {**row, "refused": f"below_floor: similarity {row['similarity']:.3f} is under {floor:g}"}
