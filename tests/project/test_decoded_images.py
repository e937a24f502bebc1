"""A run tells its steps where decoded images lie, in its own process and in workers."""

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from retrieval_vs_diffusion.execution.fresh_runner import FreshRunner


def where() -> list:
    from retrieval_vs_diffusion.images.decoded_store import current_store

    store = current_store()
    return [str(store._folder), store._at_most] if store else []


@pytest.mark.parametrize("steps", [1, 2])  # of two steps, two workers
@pytest.mark.parametrize("at_most_gb", [3, 0])
def test_every_step_finds_the_worlds_store(empty_project, tmp_path, steps, at_most_gb):
    bootstrap_project(empty_project)
    asked = {"workers": steps, "decoded": {"at_most_gb": at_most_gb}}
    with KedroSession.create(empty_project, env="test", runtime_params=asked) as session:
        session.load_context()
        catalog = DataCatalog({f"{n}": JSONDataset(filepath=str(tmp_path / f"{n}.json")) for n in range(steps)})
        pipeline = Pipeline([Node(where, None, f"{n}", name=f"step_{n}") for n in range(steps)])
        FreshRunner().run(pipeline, catalog, session._hook_manager)
    folder = str(empty_project / "data" / "test" / "05_model_input" / "decoded-images")
    expected = [folder, 3 * 10**9] if at_most_gb else []
    assert [catalog.load(f"{n}") for n in range(steps)] == [expected] * steps
