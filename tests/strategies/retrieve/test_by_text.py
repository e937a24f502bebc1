import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import open_pool
from retrieval_vs_diffusion.images.screening import REASONS, Gate, Screening, fingerprint
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.collect import collect
from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText, class_queries
from tests.strategies.retrieve.angles import ClipOfAngles, angles, around, kept_out, rows

NAME = ("{name}",)


def test_each_class_has_its_nearest_images_nearest_first():
    found = rows(ByText(prompts=NAME), {0: 3, 1: 2}, around([40, 85, 5, 50, 10]))
    assert angles(found, 0) == [5, 10, 40]
    assert angles(found, 1) == [85, 50]


def test_a_row_says_how_similar_it_is_and_to_which_prompt():
    (row,) = rows(ByText(prompts=("turn by {name}",)), {0: 1}, around([60, 30]))
    assert row["image_id"] == "pool/1"
    assert row["similarity"] == pytest.approx(np.cos(np.deg2rad(30)), abs=1e-6)
    assert row["prompt"] == "turn by 0"


def test_an_image_goes_to_the_one_class_whose_prompt_is_nearest():
    found = rows(ByText(prompts=NAME), {0: 3, 1: 3}, around([44, 46]))
    assert (angles(found, 0), angles(found, 1)) == ([44], [46])  # 45 is the border


def test_asking_later_goes_on_where_it_stopped():
    surroundings, part = around([1, 2, 3, 4, 5]), ByText(prompts=NAME)
    in_two = [*rows(part, {0: 1}, surroundings), *rows(part, {0: 3}, surroundings, first={0: 1})]
    assert angles(in_two) == angles(rows(part, {0: 4}, surroundings)) == [1, 2, 3, 4]


FLOOR = ByText(prompts=NAME, similarity_floor=0.9)  # cos 25.8 degrees


def test_nothing_below_the_floor_is_brought_but_it_is_shown():
    found = rows(FLOOR, {0: 5}, around([10, 25, 27, 40]))
    assert angles(found) == [10, 25]
    assert kept_out(found) == [27, 40]
    assert found[2]["refused"] == "below_floor: similarity 0.891 is under 0.9"  # cos 27 degrees


def test_of_what_the_floor_keeps_out_no_more_is_shown_than_is_missing():
    found = rows(FLOOR, {0: 3, 1: 1}, around([10, 25, 27, 40, 85]))
    assert (angles(found, 0), kept_out(found, 0)) == ([10, 25], [27])  # one of three is missing
    assert (angles(found, 1), kept_out(found, 1)) == ([85], [])
    all_alike = ByText(prompts=NAME, similarity_floor=0.9, near_duplicates={"similarity": 1.01})
    assert kept_out(rows(all_alike, {0: 3}, around([10, 25, 27, 40, 85]))) == [27]  # however deep the search was
    later = rows(FLOOR, {0: 2}, around([10, 25, 27, 40, 85]), first={0: 1})
    assert (angles(later), kept_out(later)) == ([25], [27])


def test_a_floor_that_keeps_nothing_out_shows_nothing():
    found = rows(ByText(prompts=NAME), {0: 5}, around([10, 40]))
    assert (angles(found), kept_out(found)) == ([10, 40], [])


def test_the_ledger_adds_up_where_a_floor_leaves_classes_short():
    surroundings = around([5, 10, 15, 27, 40, 85, 50])
    leak = surroundings.resources["pool"].images.take([1])  # at 10 degrees
    gate = Gate(Screening(leak_similarity=0.93, rounds=3), fingerprint(leak, leak))
    collected = collect(FLOOR, [3, 3], surroundings, gate)
    zero, ninety = collected.images.ledger["steps"][0]["classes"].values()
    # 5, 10 and 15 come first, and 10 is a leak; in its place the floor lets nothing through, and 27 is the next
    assert {key: zero[key] for key in ("asked", "brought", "leak", "below_floor", "topped_up", "used", "short_by")} == {
        **{"asked": 3, "brought": 4, "leak": 1, "below_floor": 1, "topped_up": 1, "used": 2, "short_by": 1}
    }
    # 85 is above the floor; 50 is 40 degrees away, and a third image is nowhere
    assert (ninety["brought"], ninety["below_floor"], ninety["used"], ninety["short_by"]) == (2, 1, 1, 2)
    for line in (zero, ninety):
        assert line["brought"] == line["used"] + sum(line[reason] for reason in REASONS)
        assert line["asked"] == line["used"] + line["short_by"]
    assert angles(collected.images.table.to_pylist()) == [5, 15]
    assert kept_out(collected.refused.table.to_pylist()) == [10, 27]


def test_templates_are_averaged_on_the_sphere():
    part = ByText(prompts=("{name}", "or 60"))  # of 0 and 60 degrees the middle is 30
    (row,) = rows(part, {0: 1}, around([0, 30, 60], names=("0",)))
    assert row["image_id"] == "pool/1"
    assert row["similarity"] == pytest.approx(1.0, abs=1e-6)


def test_an_ensemble_by_name_is_all_its_templates(clip):
    surroundings = around([1], names=("zero", "one"))
    queries = class_queries(clip, ("openai_imagenet_templates",), surroundings)
    written = prompts.expand(["openai_imagenet_templates"])
    mean = clip.embed_texts([template.format(name="one") for template in written]).mean(axis=0)  # 80 of them
    assert queries[1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert np.linalg.norm(queries, axis=1) == pytest.approx([1, 1], abs=1e-6)


def test_a_definition_comes_from_the_class_table():
    table = ClassTable({"zero": {"definition": "at 0"}, "one": {"definition": "at 90"}})
    part = ByText(prompts=("the {name}, {definition}",))
    found = rows(part, {0: 1, 1: 1}, around([80, 20], names=("zero", "one"), class_table=table))
    assert [(row["label"], row["caption"], row["prompt"]) for row in found] == [
        (0, "at 20", "the zero, at 0"),
        (1, "at 80", "the one, at 90"),
    ]
    assert part.class_fields == ("name", "definition")


def test_a_class_without_what_a_template_asks_for_is_named_even_if_none_of_its_images_is_wanted():
    table = ClassTable({"zero": {"definition": "at 0"}})
    part = ByText(prompts=("the {name}, {definition}",))
    with pytest.raises(UserError, match=r'class "one" has no definition, which the template "the \{name\}'):
        rows(part, {0: 1}, around([80, 20], names=("zero", "one"), class_table=table))


def test_a_pool_that_holds_too_few_images_gives_what_it_has():
    assert angles(rows(ByText(prompts=NAME), {0: 9}, around([1, 2, 89]))) == [1, 2]
    assert rows(ByText(prompts=NAME), {0: 9}, around([1, 2, 89]), first={0: 2}) == []


def test_of_images_that_look_alike_so_many_are_brought_as_are_allowed():
    surroundings = around([1, 2, 3])
    alike = surroundings.resources["pool"].images.table.to_pylist()
    alike[1]["image"] = alike[0]["image"]
    surroundings.resources["pool"] = open_pool(ImageTable.from_rows(alike))
    assert angles(rows(ByText(prompts=NAME), {0: 2}, surroundings)) == [1, 3]
    assert angles(rows(ByText(prompts=NAME, near_duplicates={"at_most": 2}), {0: 2}, surroundings)) == [1, 2]


def test_an_image_that_the_screening_refuses_is_replaced_by_the_next_one():
    surroundings = around([1, 2, 3, 4])
    leak = surroundings.resources["pool"].images.take([1])
    gate = Gate(Screening(leak_similarity=0.93, rounds=3), fingerprint(leak, leak))
    collected = collect(ByText(prompts=NAME), [3, 3], surroundings, gate)
    assert collected.images.column("caption") == ["at 1", "at 3", "at 4"]
    classes = collected.images.ledger["steps"][0]["classes"]
    assert (classes["0"]["leak"], classes["0"]["topped_up"]) == (1, 1)
    assert classes["90"]["short_by"] == 3  # no image is nearer to 90 degrees


def test_an_index_of_another_clip_is_refused():
    with pytest.raises(UserError, match="the index holds embeddings of other, the prompts are of toy_clip"):
        rows(ByText(prompts=NAME), {0: 1}, around([1], clip_name="other"))


def test_a_template_that_cannot_be_filled_is_refused_when_the_part_is_built():
    with pytest.raises(UserError, match=r"\{nam\}"):
        ByText(prompts=("{nam}",))


def test_a_query_is_made_of_every_class():
    assert class_queries(ClipOfAngles(), NAME, around([1], names=("0", "45", "90"))).shape == (3, 2)
