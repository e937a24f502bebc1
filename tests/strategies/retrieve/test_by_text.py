import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.collect import collect
from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText, class_queries
from tests.strategies.retrieve.angles import ClipOfAngles, angles, around, rows

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


def test_nothing_below_the_floor_is_brought():
    part = ByText(prompts=NAME, similarity_floor=0.9)  # cos 25.8 degrees
    assert angles(rows(part, {0: 5}, around([10, 25, 27, 40]))) == [10, 25]


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
    pool = surroundings.resources["pool"]
    alike = pool.table.to_pylist()
    alike[1]["image"] = alike[0]["image"]
    surroundings.resources["pool"] = type(pool).from_rows(alike)
    assert angles(rows(ByText(prompts=NAME), {0: 2}, surroundings)) == [1, 3]
    assert angles(rows(ByText(prompts=NAME, near_duplicates={"at_most": 2}), {0: 2}, surroundings)) == [1, 2]


def test_an_image_that_the_screening_refuses_is_replaced_by_the_next_one():
    surroundings = around([1, 2, 3, 4])
    leak = surroundings.resources["pool"].take([1])
    gate = Gate(Screening(leak_similarity=0.93, rounds=3), fingerprint(leak, leak))
    collected = collect(ByText(prompts=NAME), 3, surroundings, gate)
    assert collected.column("caption") == ["at 1", "at 3", "at 4"]
    assert collected.ledger["classes"]["0"]["leak"] == 1
    assert collected.ledger["classes"]["90"]["short_by"] == 3  # no image is nearer to 90 degrees


def test_an_index_of_another_clip_is_refused():
    with pytest.raises(UserError, match="the index holds embeddings of other, the prompts are of toy_clip"):
        rows(ByText(prompts=NAME), {0: 1}, around([1], clip_name="other"))


def test_a_template_that_cannot_be_filled_is_refused_when_the_part_is_built():
    with pytest.raises(UserError, match=r"\{nam\}"):
        ByText(prompts=("{nam}",))


def test_a_query_is_made_of_every_class():
    assert class_queries(ClipOfAngles(), NAME, around([1], names=("0", "45", "90"))).shape == (3, 2)
