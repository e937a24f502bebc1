"""A world's configuration: what it takes over from the base world, and parameters that the catalog names."""

import pytest
from kedro.io import DataCatalog

from retrieval_vs_diffusion.settings import CONFIG_LOADER_ARGS
from retrieval_vs_diffusion.world_config import WorldConfigLoader

BASE = """
target:
  path: null
  reader: {type: digits, first: 750, size: {height: 16, width: 16}}
  per_class: 10
clip: {model: models/clip, checkpoint: null}
diffusion: {path: models/diffusion}
listed: [1, 2, 3]
"""
CATALOG = """
clip: {type: pickle.PickleDataset, filepath: "${path_or_name:clip.model}"}
named: {type: pickle.PickleDataset, filepath: data/x, version: "${path_or_name:clip.checkpoint}"}
diffusion: {type: pickle.PickleDataset, filepath: "${parameter:diffusion.path}"}
lost: {type: pickle.PickleDataset, filepath: "${parameter:diffusion.no.such}"}
whole: {type: pickle.PickleDataset, metadata: "${parameter:target.reader}"}
"""


@pytest.fixture
def loader(tmp_path):
    """A loader of a project with a base world and the world `mine`, each of which it is given the parameters."""

    def make(mine: str = "{}", base: str = BASE, catalog: str = CATALOG, **runtime) -> WorldConfigLoader:
        for world, text in (("base", base), ("mine", mine)):
            (tmp_path / "conf" / world).mkdir(parents=True, exist_ok=True)
            (tmp_path / "conf" / world / "parameters.yml").write_text(text)
        (tmp_path / "conf" / "base" / "catalog.yml").write_text(catalog)
        arguments = {"base_env": "base", "default_run_env": "mine", **CONFIG_LOADER_ARGS}
        return WorldConfigLoader(str(tmp_path / "conf"), "mine", runtime, **arguments)

    return make


# ---- parameters


def test_what_the_files_say_is_known_whatever_the_command_line_says(loader):
    made = loader("target: {per_class: 4}\n", target={"per_class": 7}, clip={"model": "ViT-B-32"})
    files = made.without_runtime_params()
    assert (files["target"]["per_class"], files["clip"]["model"]) == (4, "models/clip")
    assert (made["parameters"]["target"]["per_class"], made["parameters"]["clip"]["model"]) == (7, "ViT-B-32")


def test_whoever_asks_gets_parameters_of_his_own(loader):
    made = loader()
    made["parameters"]["target"]["per_class"] = 99
    assert made["parameters"]["target"]["per_class"] == 10


def test_a_command_sees_one_state_of_the_files_and_the_next_command_another(loader):
    made = loader(target={"per_class": 7})
    assert made["parameters"]["listed"] == [1, 2, 3]
    again = loader("listed: [9]\n", target={"per_class": 7})
    assert made["parameters"]["listed"] == [1, 2, 3]
    assert again["parameters"]["listed"] == [9]


def test_other_parameters_that_are_given_later_count(loader):
    made = loader()
    assert made["parameters"]["target"]["per_class"] == 10
    made.runtime_params = {"target": {"per_class": 7}}
    assert made["parameters"]["target"]["per_class"] == 7
    made["parameters"] = {"listed": [4]}  # as Kedro lets one say them outright
    assert made["parameters"] == {"listed": [4]}


def test_a_world_overrides_key_by_key_at_any_depth(loader):
    found = loader("target: {reader: {size: {width: 32}}, per_class: 4}\nlisted: [9]\n")["parameters"]
    assert found["target"]["reader"] == {"type": "digits", "first": 750, "size": {"height": 16, "width": 32}}
    assert found["target"]["per_class"] == 4
    assert found["listed"] == [9]  # a list is one value
    assert found["clip"] == {"model": "models/clip", "checkpoint": None}


def test_a_section_that_names_the_same_type_is_the_same_thing(loader):
    found = loader("target: {reader: {type: digits, first: 1}}")["parameters"]["target"]["reader"]
    assert found == {"type": "digits", "first": 1, "size": {"height": 16, "width": 16}}


def test_a_section_of_another_type_takes_nothing_over_and_its_neighbours_do(loader):
    found = loader("target: {reader: {type: folders, path: /photographs}}")["parameters"]["target"]
    assert found == {"path": None, "reader": {"type": "folders", "path": "/photographs"}, "per_class": 10}


def test_a_value_may_stand_where_a_section_was_and_a_section_where_a_value_was(loader):
    found = loader("clip: null\nlisted: {a: 1}\ntarget: {reader: {size: 3}}")["parameters"]
    assert (found["clip"], found["listed"]) == (None, {"a": 1})
    assert found["target"]["reader"]["size"] == 3


def test_the_base_world_is_not_changed_by_what_lies_over_it(loader):
    over = loader("target: {reader: {size: {width: 32}}}")
    assert over["parameters"]["target"]["reader"]["size"]["width"] == 32
    assert loader()["parameters"]["target"]["reader"]["size"]["width"] == 16


def test_what_the_command_line_gives_goes_before_both(loader):
    mine = "target: {path: null, reader: {type: folders, path: '${target.path}', val: 0.1}}"
    given = {"target": {"path": "/photographs", "reader": {"val": 0.2}}, "clip": {"checkpoint": "openai"}}
    found = loader(mine, **given)["parameters"]
    assert found["target"]["reader"] == {"type": "folders", "path": "/photographs", "val": 0.2}
    assert found["clip"] == {"model": "models/clip", "checkpoint": "openai"}


# ---- the catalog


def test_the_catalog_may_name_parameters(loader):
    catalog = loader()["catalog"]
    assert catalog["diffusion"]["filepath"] == "models/diffusion"
    assert catalog["whole"]["metadata"] == {"type": "digits", "first": 750, "size": {"height": 16, "width": 16}}


@pytest.mark.parametrize("place", ["diffusion.no.such", "nothing", "listed.a", "clip.checkpoint"])
def test_a_parameter_that_is_not_there_is_none(loader, place):
    assert loader(catalog=f'a: {{type: x, filepath: "${{parameter:{place}}}"}}')["catalog"]["a"]["filepath"] is None


def test_what_a_world_and_the_command_line_say_reaches_the_catalog(loader):
    assert loader("diffusion: {path: models/mine}")["catalog"]["diffusion"]["filepath"] == "models/mine"
    given = loader("diffusion: {path: models/mine}", diffusion={"path": "models/given"})
    assert given["catalog"]["diffusion"]["filepath"] == "models/given"
    assert loader(diffusion={"path": None})["catalog"]["diffusion"]["filepath"] is None


def test_a_path_from_the_projects_folder_is_made_absolute_and_a_name_stays_one(loader, tmp_path):
    (tmp_path / "models" / "clip").mkdir(parents=True)
    found = loader(clip={"checkpoint": "openai"})["catalog"]
    assert found["clip"]["filepath"] == str(tmp_path / "models" / "clip")
    assert found["named"]["version"] == "openai"
    assert loader(clip={"model": "ViT-B-32"})["catalog"]["clip"]["filepath"] == "ViT-B-32"
    assert loader(clip={"model": str(tmp_path / "models")})["catalog"]["clip"]["filepath"] == str(tmp_path / "models")
    assert loader()["catalog"]["named"]["version"] is None


def test_each_loader_answers_for_itself_however_they_take_turns(loader):
    one, other = loader(diffusion={"path": "one"}), loader(diffusion={"path": "other"})
    assert one["catalog"]["diffusion"]["filepath"] == "one"
    assert other["catalog"]["diffusion"]["filepath"] == "other"


def test_parameters_that_are_set_by_hand_reach_the_catalog(loader):
    made = loader()
    made["parameters"] = {"diffusion": {"path": "by hand"}}
    assert made["catalog"]["diffusion"]["filepath"] == "by hand"


def test_kedro_makes_datasets_of_it(loader, tmp_path):
    catalog = 'a: {type: json.JSONDataset, filepath: "${parameter:diffusion.path}"}'
    made = DataCatalog.from_config(loader(catalog=catalog, diffusion={"path": str(tmp_path / "a.json")})["catalog"])
    made["a"].save({"x": 1})
    assert (tmp_path / "a.json").is_file()
