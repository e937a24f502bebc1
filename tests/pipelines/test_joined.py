"""Many pipelines as one."""

import pytest
from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipeline_registry import whole_study
from retrieval_vs_diffusion.pipelines.joined import joined
from tests.pipelines.test_varied import study_of


def taken(given: object) -> object:
    return given


FIRST, SECOND, THIRD = (Node(taken, name, f"{name} made", name=f"make_{name}") for name in ("a", "b", "c"))


def test_pipelines_are_joined_as_they_are_summed():
    parts = [Pipeline([FIRST, SECOND]), Pipeline([SECOND, THIRD])]  # both have the second
    assert joined(parts).nodes == (parts[0] + parts[1]).nodes == [FIRST, SECOND, THIRD]
    assert joined([]).nodes == []


def test_two_that_make_the_same_are_refused():
    with pytest.raises(ValueError, match="make_a"):
        joined([Pipeline([FIRST]), Pipeline([Node(taken, "b", "d", name="make_a")])])


def test_the_study_is_built_once_and_another_one_anew():
    study, other = study_of(), study_of(repetitions={"number": 3})
    assert whole_study(study) is whole_study(study)
    assert len(whole_study(other).nodes) > len(whole_study(study).nodes)
