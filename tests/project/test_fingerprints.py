"""What the fingerprints of a world's artifacts depend on; nothing is run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from retrieval_vs_diffusion.execution import freshness
from tests.project.conftest import ROOT

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
    return {"target": {"class_table": str(tmp_path / "classes.csv")}}


def test_nothing_changed_no_fingerprint_changed(changed):
    assert changed() == set()


def test_a_definition_makes_again_what_uses_definitions(changed, tmp_path):
    definitions = ["a ring", *TABLE["definition"][1:]]
    made = changed(None, **with_table(tmp_path, TABLE.assign(definition=definitions)))
    assert strategies_of(made) == strategies_of(made, ".classifier") == {"definition_prompts"}
    assert not [name for name in made if name.startswith(("personalise.", "pool.", "target.", "screening."))]


def test_strategies_that_use_names_alone_are_the_same_without_a_class_table(changed, tmp_path):
    none = with_table(tmp_path, TABLE[["class", "definition", "hypernym", "background"]][:0])
    assert strategies_of(changed(None, **none)) == {"definition_prompts"}


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
    globals_file = empty_project / "conf/test/globals.yml"
    kept = globals_file.read_text()

    def halve():
        globals_file.write_text(kept.replace("precision: float32", "precision: bfloat16"))

    try:
        made = strategies_of(changed(None, halve))
    finally:
        globals_file.write_text(kept)
    assert made >= {"simple_prompt", "boomerang", "textual_inversion", "retrieval_then_generation"}
    assert not made & {"more_real", "retrieval_text", "retrieval_image"}
