"""How many pictures that look alike a class may get, by their thumbnails or by their embeddings."""

import numpy as np
import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.pool import Pool, open_pool
from retrieval_vs_diffusion.models.vector_index import VectorIndex
from retrieval_vs_diffusion.strategies.near_duplicate_limit import NearDuplicateLimit, limit_near_duplicates
from tests.strategies.retrieve.angles import index_of

NO_LIMIT = NearDuplicateLimit(similarity=1.01)
ANY = index_of(0)  # where pictures are there to be looked at, nobody asks for their embeddings


def pictures(*seeds: int | None) -> Pool:
    """Pictures that are alike where their seeds are; None is a file that is broken."""
    made = []
    for number, seed in enumerate(seeds):
        pixels = np.random.default_rng(seed or 0).integers(0, 200, (16, 16, 3), dtype=np.uint8)
        row = image_row(pixels + number, f"pool/{number}")  # lit otherwise, so not the same file
        made.append(row if seed is not None else {**row, "image": {"bytes": b"broken", "path": None}})
    return open_pool(ImageTable.from_rows(made))


def thinned_to(count: int, ranked: list, pool: Pool, limit: NearDuplicateLimit, index: VectorIndex = ANY) -> list:
    """What is left of one class's ranking."""
    return limit_near_duplicates(pool, index, limit)({0: ranked}, {0: count})[0]


@pytest.mark.parametrize(("at_most", "kept"), [(1, [0, 2, 4]), (2, [0, 1, 2, 4, 5]), (3, [0, 1, 2, 3, 4, 5])])
def test_at_most_so_many_of_a_group_that_looks_alike_are_kept(at_most, kept):
    pool = pictures(7, 7, 8, 7, 9, 9)
    everything = [(row, 1.0) for row in range(6)]
    thinned = thinned_to(6, everything, pool, NearDuplicateLimit(at_most=at_most))
    assert [row for row, _ in thinned] == kept
    # However many are asked for, they begin alike.
    assert thinned_to(2, everything, pool, NearDuplicateLimit(at_most=at_most)) == thinned[:2]


def test_broken_pictures_are_left_to_the_screening_and_no_limit_is_no_limit():
    pool = pictures(7, None, None, 7)
    everything = [(row, 1.0) for row in range(4)]
    assert [row for row, _ in thinned_to(4, everything, pool, NearDuplicateLimit())] == [0, 1, 2]
    assert thinned_to(1, everything, pool, NO_LIMIT) == everything


def test_every_class_is_thinned_by_itself_to_its_own_number():
    pool = pictures(7, 7, 8, 9)
    everything = [(row, 1.0) for row in range(4)]
    thin = limit_near_duplicates(pool, ANY, NearDuplicateLimit())
    found = thin({2: everything, 0: everything[1:]}, {2: 1, 0: 3})
    assert {label: [row for row, _ in rows] for label, rows in found.items()} == {2: [0], 0: [1, 2, 3]}


def test_no_more_pictures_are_read_than_it_takes(monkeypatch):
    read = []
    monkeypatch.setattr(ImageTable, "rows", lambda table, rows: read.extend(rows) or table.take(rows).table.to_pylist())
    pool = pictures(*range(200))
    assert len(thinned_to(3, [(row, 1.0) for row in range(200)], pool, NearDuplicateLimit())) == 3
    assert read == list(range(64))  # one part


# ---- a pool of links


class Links:
    """Images that would come over the network: none may, for those that are not chosen must not be downloaded."""

    def __len__(self) -> int:
        return 9

    def rows(self, positions):
        raise AssertionError(f"{positions} were downloaded")

    prefetch = rows


@pytest.mark.parametrize(("at_most", "kept"), [(1, [4, 2, 0]), (2, [4, 3, 2, 0, 1]), (3, [4, 3, 5, 2, 0, 1])])
def test_of_a_pool_of_links_those_are_alike_whose_embeddings_are_and_nothing_is_downloaded(at_most, kept):
    index = index_of(0, 2, 40, 80, 81, 82)  # cos 2 degrees is 0.999, cos 38 is 0.79
    ranked = [(row, 1.0) for row in (4, 3, 5, 2, 0, 1)]
    limit = NearDuplicateLimit(at_most=at_most)
    assert Pool(Links()).is_downloaded
    assert [row for row, _ in thinned_to(6, ranked, Pool(Links()), limit, index)] == kept
    assert [row for row, _ in thinned_to(2, ranked, Pool(Links()), limit, index)] == kept[:2]


def test_an_image_is_alike_to_the_first_of_a_group_and_not_to_what_came_after():
    # 10 degrees are cos 0.985, 20 are 0.94: the second is alike to the first; the third to the second alone, which is
    # none that groups are made of, and so the third is kept.
    ranked = [(0, 1.0), (1, 0.9), (2, 0.8)]
    limit = NearDuplicateLimit(similarity=0.98)
    assert thinned_to(3, ranked, Pool(Links()), limit, index_of(0, 10, 20)) == [ranked[0], ranked[2]]


def test_of_nothing_and_without_a_limit_a_pool_of_links_is_not_asked():
    assert thinned_to(3, [], Pool(Links()), NearDuplicateLimit(), index_of(0)) == []
    ranked = [(0, 1.0), (0, 1.0)]
    assert thinned_to(1, ranked, Pool(Links()), NO_LIMIT, index_of(0)) == ranked


@pytest.mark.parametrize("settings", [{"at_most": 0}, {"similarity": 0}, {"similarity": 1.02}, {"at_mots": 1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        NearDuplicateLimit(**settings)
