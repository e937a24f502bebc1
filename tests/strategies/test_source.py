from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.source import Surroundings, class_fields_of, consumes_previous


def test_seeds_derive_from_world_strategy_and_repetition():
    surroundings = Surroundings(("zero",), "boomerang", ("base", "boomerang", "repetition_0"))
    assert surroundings.seed("generate", "zero", 3) == derive_seed(
        "base", "boomerang", "repetition_0", "generate", "zero", 3
    )
    again = Surroundings(("zero",), "boomerang", ("base", "boomerang", "repetition_1"))
    assert again.seed("generate", "zero", 3) != surroundings.seed("generate", "zero", 3)


def test_every_class_has_a_name_and_what_the_table_says_of_it():
    table = ClassTable({"one": {"definition": "lone"}})
    surroundings = Surroundings(("zero", "one"), "a", ("base", "a", "repetition_0", 0), class_table=table)
    assert surroundings.fields() == [{"name": "zero"}, {"name": "one", "definition": "lone"}]
    assert surroundings.name == "base/a/repetition_0/0"


def test_a_part_that_says_nothing_of_it_uses_the_names_and_fills_up():
    assert class_fields_of(object()) == ("name",)
    assert not consumes_previous(object())
