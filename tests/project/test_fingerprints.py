"""What the fingerprints of a world's artifacts depend on; nothing is run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from benchmarks.project_copy import ROOT
from retrieval_vs_diffusion.execution import freshness

TABLE = pd.read_csv(ROOT / "conf/base/classes.csv")


@pytest.fixture
def changed(empty_project):
    """Tell which artifacts are made anew after a change of parameters: the names of those that differ."""

    def fingerprints(**parameters) -> dict[str, str]:
        from retrieval_vs_diffusion.pipeline_registry import whole_study
        from retrieval_vs_diffusion.world import current_study

        bootstrap_project(empty_project)
        with KedroSession.create(empty_project, env="test", runtime_params=parameters) as session:
            catalog = session.load_context().catalog
            whole = whole_study(current_study())
            known = freshness.Freshness(whole, catalog)
            return {name: known.expected(name) for name in whole.all_outputs()}

    def differ(before: dict | None = None, prepare=lambda: None, **after) -> set[str]:
        old = fingerprints(**(before or {}))
        prepare()
        new = fingerprints(**after)
        return {name for name in new if old.get(name) != new[name]}

    return differ


def strategies_of(artifacts: set[str], ending: str = "added_images") -> set[str]:
    """The rows among the makers of artifacts; what is varied beside them goes with its row."""
    rows = {name.split(".")[0] for name in artifacts if name.endswith(ending)}
    return rows - {"leak_comparison", "size_curve"}


def with_table(tmp_path: Path, table: pd.DataFrame) -> dict:
    table.to_csv(tmp_path / "classes.csv", index=False)
    return {"classes": {"path": str(tmp_path / "classes.csv")}}


def test_nothing_changed_no_fingerprint_changed(changed):
    assert changed() == set()


def test_a_definition_makes_again_what_uses_definitions(changed, tmp_path):
    definitions = ["a ring", *TABLE["definition"][1:]]
    made = changed(None, **with_table(tmp_path, TABLE.assign(definition=definitions)))
    assert strategies_of(made) == strategies_of(made, ".classifier") == {"definition_prompts"}
    assert not [name for name in made if name.startswith(("personalise.", "pool.", "target.", "screening."))]


def test_strategies_that_use_names_alone_are_the_same_without_a_class_table(changed, tmp_path):
    none = with_table(tmp_path, TABLE[["class", "definition", "hypernym", "background"]][:0])
    made = changed(None, **none)
    assert strategies_of(made) == set()
    assert not [name for name in made if name.startswith("definition_prompts.")]  # it cannot be run without


def test_another_name_makes_again_what_uses_names(changed, tmp_path):
    made = strategies_of(changed(None, **with_table(tmp_path, TABLE.assign(name=["nought", *TABLE["class"][1:]]))))
    assert made >= {"simple_prompt", "clip_prompts", "retrieval_text", "definition_prompts", "simple_prompt_selected"}
    assert not made & {"boomerang", "retrieval_image"}  # an empty prompt, and none


def test_a_sixth_repetition_makes_no_image_and_no_classifier_of_the_first_five_again(changed):
    made = changed({"repetitions": {"number": 5}}, repetitions={"number": 6})
    drawn = {name for name in made if ".repetition_" in name}
    assert drawn
    assert all(".repetition_5." in name for name in drawn)
    assert "personalise.textual_inversion.repetition_5.learned" in made
    # The collection that all repetitions' generating steps read is another, and they do not mind.
    assert "personalise.textual_inversion.collection" in made
    assert "textual_inversion.repetition_0.added_images" not in made


def test_another_personalisation_makes_its_strategies_again_through_the_collection(changed):
    made = changed(None, personalisations={"textual_inversion": {"training": {"steps": 5}}})
    assert strategies_of(made) == {
        *("textual_inversion", "textual_inversion_clip_prompts", "da_fusion", "retrieval_restyled")
    }
    # Of the restyled images what was retrieved stays.
    assert not [name for name in made if name.endswith("images_of_step_0")]


def test_auto_counts_as_the_device_that_was_found(changed, monkeypatch):
    monkeypatch.setattr(freshness, "device_found", lambda: "cpu")
    assert changed({"compute": {"device": "auto"}}, compute={"device": "cpu"}) == set()

    def a_gpu_is_built_in():
        monkeypatch.setattr(freshness, "device_found", lambda: "cuda")

    made = changed({"compute": {"device": "auto"}}, a_gpu_is_built_in, compute={"device": "auto"})
    assert "pool.embeddings" in made
    assert strategies_of(made) >= {"simple_prompt", "retrieval_text"}
    assert "target.reservoir" not in made


def test_the_precision_of_the_diffusion_model_counts(changed, empty_project):
    world = empty_project / "conf/test/parameters.yml"
    kept = world.read_text()

    def halve():
        world.write_text(f"{kept}\ndiffusion: {{precision: bfloat16}}\n")

    try:
        made = strategies_of(changed(None, halve))
    finally:
        world.write_text(kept)
    assert made == strategies_of(changed(None, diffusion={"precision": "bfloat16"}))  # wherever it is said
    assert made >= {"simple_prompt", "boomerang", "textual_inversion", "retrieval_then_generation"}
    assert not made & {"more_real", "retrieval_text", "retrieval_image"}


def test_another_clip_makes_again_the_embeddings_and_what_is_searched_with_it(changed, empty_project):
    pretrained = empty_project / "data/06_models/pretrained"
    other = pretrained / "other_clip"
    shutil.copytree(pretrained / "clip", other)
    try:
        # The same, said again: the command in the report is the same too.
        assert changed(None, clip={"model": "data/06_models/pretrained/clip"}) == set()
        (other / "open_clip_config.json").write_text((other / "open_clip_config.json").read_text() + " ")
        made = changed(None, clip={"model": "data/06_models/pretrained/other_clip"})
    finally:
        shutil.rmtree(other)
    assert {"pool.embeddings", "pool.index", "target.val_embeddings"} <= made
    assert strategies_of(made) >= {"retrieval_text", "retrieval_image"}
    assert not strategies_of(made) & {"simple_prompt", "more_real"}


def test_a_takedown_list_makes_again_what_takes_from_the_pool(changed, tmp_path):
    (tmp_path / "takedown.txt").write_text("pool/7\n")
    listed = {"takedown": str(tmp_path / "takedown.txt")}
    made = changed(None, **listed)
    assert strategies_of(made) >= {"retrieval_text", "retrieval_image", "retrieval_restyled"}
    assert not strategies_of(made) & {"simple_prompt", "more_real"}
    assert "pool.index" not in made  # its rows stay where they are
    again = changed(listed, lambda: (tmp_path / "takedown.txt").write_text("pool/7\npool/8\n"), **listed)
    assert strategies_of(again) == strategies_of(made)


def test_another_number_of_originals_makes_again_all_that_is_drawn_and_reads_no_image_again(changed):
    made = changed(None, target={"per_class": 0.5})
    assert "target.originals_per_class" in made
    assert not made & {"target.reservoir", "target.test", "pool.images", "pool.index", "screening.protected"}
    assert {name for name in made if name.endswith(".classifier")}
