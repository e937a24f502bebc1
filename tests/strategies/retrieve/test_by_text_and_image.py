import numpy as np
import pytest

from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText
from retrieval_vs_diffusion.strategies.retrieve.by_text_and_image import ByTextAndImage
from tests.strategies.retrieve.angles import angles, around, at, kept_out, rows

NAME = ("{name}",)
# Class zero is called at 0 degrees, and its originals look like 20 degrees: 10 and 30.
ORIGINALS = {0: [10, 30], 1: [60]}
POOL = [2, 40, 5, 21, 8, 16, 30, 80]


def part(candidates: int, **fields) -> ByTextAndImage:
    return ByTextAndImage(prompts=NAME, candidates_per_image=candidates, **fields)


def test_the_text_chooses_candidates_and_the_originals_choose_among_them():
    found = rows(part(4), {0: 1}, around(POOL, originals=ORIGINALS))
    # by text the first 4 * 1 are 2, 5, 8 and 16; of these 16 is nearest to 20, though 21 in the pool is nearer
    assert angles(found) == [16]


def test_several_come_in_the_order_of_their_look():
    found = rows(part(3), {0: 2}, around(POOL, originals=ORIGINALS))
    # by text the first 3 * 2 are 2, 5, 8, 16, 21 and 30; from 20 degrees they are 18, 15, 12, 4, 1 and 10
    assert angles(found) == [21, 16]
    assert found[0]["similarity"] == pytest.approx(np.cos(np.deg2rad(1)), abs=1e-6)
    assert found[0]["prompt"] == "0 [in the look of the originals]"


def test_the_class_is_the_texts_even_where_the_look_is_anothers():
    # 44 looks exactly like class one's originals, and 45 is the border of the prompts at 0 and 90.
    surroundings = around([44, 50], originals={0: [10], 1: [44]})
    found = rows(part(4), {0: 2, 1: 2}, surroundings)
    assert (angles(found, 0), angles(found, 1)) == ([44], [50])


def test_one_candidate_for_each_image_is_retrieval_by_text():
    surroundings = around(POOL, originals=ORIGINALS)
    assert set(angles(rows(part(1), {0: 3}, surroundings))) == set(
        angles(rows(ByText(prompts=NAME), {0: 3}, surroundings))
    )


def test_later_images_come_from_candidates_of_their_own():
    surroundings = around(POOL, originals=ORIGINALS)
    first = rows(part(2), {0: 2}, surroundings)
    later = rows(part(2), {0: 1}, surroundings, first={0: 2})
    assert angles(first) == [16, 8]  # of 2, 5, 8 and 16
    assert angles(later) == [21]  # of 21 and 30, the next two by text; not 5, which was passed over


def test_no_image_comes_twice_however_the_pool_runs_out():
    surroundings = around(POOL, originals=ORIGINALS)
    for wanted in range(1, 9):
        made: list[str] = []
        for _ in range(8):
            made += [row["image_id"] for row in rows(part(3), {0: wanted}, surroundings, first={0: len(made)})]
        assert len(made) == len(set(made))


def test_nothing_further_than_the_floor_from_the_prompt_is_a_candidate():
    found = rows(part(4, similarity_floor=0.97), {0: 4}, around(POOL, originals=ORIGINALS))
    assert angles(found) == [8, 5, 2]  # cos 14.07 degrees is 0.97, so 16 is out; 8 is nearest to 20 degrees
    assert kept_out(found) == [16]  # one of four is missing; of those below the floor it is nearest to the prompt
    assert found[-1]["similarity"] == pytest.approx(np.cos(np.deg2rad(16)), abs=1e-6)  # to the prompt, as the floor


def test_where_the_floor_leaves_enough_candidates_nothing_is_shown_that_it_keeps_out():
    found = rows(part(4, similarity_floor=0.97), {0: 2}, around(POOL, originals=ORIGINALS))
    assert (angles(found), kept_out(found)) == ([8, 5], [])  # three of eight candidates are there, and two suffice
    later = rows(part(4, similarity_floor=0.97), {0: 1}, around(POOL, originals=ORIGINALS), first={0: 2})
    assert (angles(later), kept_out(later)) == ([], [16])


def test_a_class_for_which_the_pool_has_nothing_gets_nothing():
    assert rows(part(4), {0: 2}, around([80, 85], originals=ORIGINALS)) == []


def test_the_scores_are_offered_to_others():
    surroundings = around(POOL, originals=ORIGINALS)
    right_class, look = part(4).scores(at(20, 50), surroundings)
    assert right_class.tolist() == [0, 1]  # by the prompts at 0 and 90
    cosines = np.cos(np.deg2rad([[0, 40], [30, 10]]))  # to the mean originals at 20 and 60
    assert look == pytest.approx(cosines, abs=1e-6)
