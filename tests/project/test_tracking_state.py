"""When a comparison is another one, and what says that nothing is new."""

from __future__ import annotations

import json

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from retrieval_vs_diffusion.execution.freshness import path_of
from retrieval_vs_diffusion.tracking_state import DATA, Stamp, compared_by
from retrieval_vs_diffusion.world import current_study


@pytest.fixture
def project(finished, tmp_path):
    return finished.copy(tmp_path / "project").path


def _compared(project, **runtime_params):
    bootstrap_project(project)
    with KedroSession.create(project, env="test", runtime_params=runtime_params) as session:
        catalog = session.load_context().catalog
        return compared_by(current_study(), catalog, project), catalog


def _change(catalog, artifact, **changes):
    path = path_of(catalog[artifact])
    record = path.with_name(path.name + ".made.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), **changes}))


def test_what_says_nothing_of_the_figures_leaves_the_comparison_as_it_is(project, finished):
    same, _ = _compared(project)
    here, _ = _compared(finished.path)
    assert here.key == same.key  # wherever the project lies
    for more in (
        {"only": "original_only", "workers": 1, "repetitions": {"number": 7}},
        {"price": {"per_hour": 3.0}, "size_curve": {"times_originals": [2]}},
        {"strategy": "boomerang", "export": {"repetition": 1}},
        {"tracking": {"uri": "http://127.0.0.1:5000"}, "decoded": {"folder": "/scratch/of/this/machine"}},
        {"remote": {"at_most_gb": 200.0}, "execution": "ray", "ray": {"most_actors": 2}},
    ):
        assert _compared(project, **more)[0].key == same.key, more


@pytest.mark.parametrize(
    "more",
    [{"classifier": {"steps": 25}}, {"added_per_original": 2.0}, {"repetitions": {"redraw": ["classifier"]}}],
)
def test_another_protocol_is_another_comparison_of_the_same_data(project, more):
    one, other = _compared(project)[0], _compared(project, **more)[0]
    assert one.key != other.key
    assert one.data_digest == other.data_digest


@pytest.mark.parametrize("artifact", [artifact for artifacts in DATA.values() for artifact in artifacts])
def test_other_content_is_another_comparison(project, artifact):
    one, catalog = _compared(project)
    _change(catalog, artifact, content="other images")
    other, _ = _compared(project)
    assert one.key != other.key
    assert one.data_digest != other.data_digest


def test_data_that_are_not_read_as_the_study_asks_belong_to_no_comparison(project):
    assert _compared(project, pool={"reader": {"images": 500}})[0] is None
    _, catalog = _compared(project)
    path = path_of(catalog["pool.images"])
    path.with_name(path.name + ".made.json").unlink()
    assert _compared(project)[0] is None


def test_a_stamp_holds_until_somebody_writes_to_the_database(tmp_path):
    database = tmp_path / "mlflow.db"
    stamp = Stamp(database)
    assert not stamp.holds("a")
    database.write_text("runs")
    stamp.add("a")
    stamp.add("b")
    assert stamp.holds("a")
    assert stamp.holds("b")
    assert not stamp.holds("c")
    database.write_text("more runs")
    assert not stamp.holds("a")
    stamp.add("c")
    assert (stamp.holds("a"), stamp.holds("c")) == (False, True)
    database.unlink()
    assert not stamp.holds("c")
