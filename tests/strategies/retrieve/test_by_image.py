import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.strategies import ranking
from retrieval_vs_diffusion.strategies.retrieve.by_image import ByImage, similarity_to_nearest
from tests.strategies.retrieve.angles import angles as angles_of
from tests.strategies.retrieve.angles import around, at, kept_out, rows

BY_RANK, BY_SIMILARITY = ByImage(merge="rank"), ByImage(merge="best_similarity")
# Of class zero one original has four close neighbours, the other two that are further away.
TWO_ORIGINALS = {0: [0, 40], 1: [90]}
POOL = [1, 2, 3, 4, 50, 54, 89]


def test_by_similarity_the_original_with_close_neighbours_supplies_most():
    found = rows(BY_SIMILARITY, {0: 4}, around(POOL, originals=TWO_ORIGINALS))
    assert angles_of(found) == [1, 2, 3, 4]  # 1 to 4 degrees away; 50 is 10 from its original


def test_by_rank_each_originals_nearest_comes_first():
    found = rows(BY_RANK, {0: 6}, around(POOL, originals=TWO_ORIGINALS))
    # first the nearest of 0 and of 40 (1 and 50), then their seconds (2 and 54), then their thirds: 4 is 36
    # degrees from 40, 3 is 3 degrees from 0
    assert angles_of(found) == [1, 50, 2, 54, 3, 4]


def test_a_rank_counts_only_images_that_the_class_may_have():
    # The nearest images of 40 are nearer to class one at 46: 44 and 45. Its first own one is 38, and comes at once.
    found = rows(BY_RANK, {0: 2, 1: 2}, around([1, 2, 44, 45, 38], originals={0: [0, 40], 1: [46]}))
    assert angles_of(found, 0) == [1, 38]  # in order of how near they are: 1 degree, then 2
    assert angles_of(found, 1) == [45, 44]


@pytest.mark.parametrize("part", [BY_RANK, BY_SIMILARITY])
def test_an_image_goes_to_the_class_that_has_the_original_it_is_nearest_to(part):
    found = rows(part, {0: 9, 1: 9}, around([10, 64, 66, 70], originals={0: [0, 50], 1: [80]}))
    assert sorted(angles_of(found, 0)) == [10, 64]  # 65 lies between 50 and 80
    assert sorted(angles_of(found, 1)) == [66, 70]


@pytest.mark.parametrize("part", [BY_RANK, BY_SIMILARITY])
def test_asking_later_goes_on_where_it_stopped(part, monkeypatch):
    monkeypatch.setattr(ranking, "_FIRST_SEARCH", 2)
    surroundings = around(POOL, originals=TWO_ORIGINALS)
    at_once = [row["image_id"] for row in rows(part, {0: 6}, surroundings)]
    one_by_one = [row["image_id"] for first in range(6) for row in rows(part, {0: 1}, surroundings, {0: first})]
    assert one_by_one == at_once
    assert len(set(at_once)) == 6
    assert rows(part, {0: 3}, surroundings, first={0: 6}) == []  # 89 belongs to class one


@pytest.mark.parametrize("part", [ByImage(merge="rank", similarity_floor=0.95), ByImage(similarity_floor=0.95)])
def test_nothing_further_than_the_floor_from_every_original_is_brought(part):
    found = rows(part, {0: 9}, around([10, 17, 19, 25], originals={0: [0], 1: [180]}))
    assert angles_of(found) == [10, 17]  # cos 18.2 degrees is 0.95
    assert kept_out(found) == [19, 25]  # shown, so that they can be counted; 7 are missing and no more are there


@pytest.mark.parametrize("merge", ["rank", "best_similarity"])
def test_what_the_floor_keeps_out_comes_nearest_first_and_never_more_of_it_than_is_missing(merge):
    part = ByImage(merge=merge, similarity_floor=0.95)
    # Originals at 0 and 40: 10 and 45 lie above the floor; the others are 20, 25, 30 and 60 degrees from the nearest.
    surroundings = around([20, 10, 100, 45, 65, 70], originals={0: [0, 40], 1: [180]})
    found = rows(part, {0: 5}, surroundings)
    assert sorted(angles_of(found)) == [10, 45]
    assert kept_out(found) == [20, 65, 70]  # 3 of 4 that are below: 5 are wanted, 2 were found
    nearness = [np.cos(np.deg2rad(degrees)) for degrees in (20, 25, 30)]
    assert [row["similarity"] for row in found if row["refused"]] == pytest.approx(nearness, abs=1e-6)
    assert found[-3]["refused"] == "below_floor: similarity 0.940 is under 0.95"
    assert found[-3]["prompt"] == "[the originals of 0]"


def test_what_the_floor_keeps_out_is_in_order_of_nearness_though_ranks_are_merged():
    # By rank 69 comes before -22: it is the second of 40 (29 degrees away), and -22 the third of 0 (22 degrees away).
    part = ByImage(merge="rank", similarity_floor=0.95)
    found = rows(part, {0: 5}, around([10, 45, -20, -22, 69], originals={0: [0, 40], 1: [180]}))
    assert (angles_of(found), kept_out(found)) == ([45, 10], [-20, -22, 69])


def test_a_row_says_how_near_it_is_and_to_what():
    (row,) = rows(BY_RANK, {0: 1}, around([10], originals=TWO_ORIGINALS))
    assert row["similarity"] == pytest.approx(np.cos(np.deg2rad(10)), abs=1e-6)
    assert row["prompt"] == "[the originals of 0]"
    assert row["label"] == 0


def test_similarity_to_a_class_is_that_to_its_nearest_original():
    found = similarity_to_nearest(at(10), [at(0, 90), at(70)])
    assert found[0] == pytest.approx([np.cos(np.deg2rad(10)), np.cos(np.deg2rad(60))], abs=1e-6)


def test_it_needs_the_originals_and_no_name():
    assert BY_RANK.needs == ("clip", "pool", "index", "originals")
    assert BY_RANK.class_fields == ()


def test_an_index_of_another_clip_is_refused():
    with pytest.raises(UserError, match="the index holds embeddings of other"):
        rows(BY_RANK, {0: 1}, around([1], originals=TWO_ORIGINALS, clip_name="other"))
