"""Actors leave one CPU of the cluster free, and fit on its machines."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.ray_resources import Actors, actors_for
from retrieval_vs_diffusion.executors.settings import RaySettings


def machine(cpus: float, gpus: float = 0, alive: bool = True) -> dict:
    return {"Alive": alive, "Resources": {"CPU": float(cpus), **({"GPU": float(gpus)} if gpus else {})}}


@pytest.mark.parametrize(
    ("machines", "threads", "actors"),
    [
        ([machine(2)], 1, Actors(1, 1, 0)),
        ([machine(2), machine(2)], 1, Actors(3, 1, 0)),
        ([machine(2), machine(2, alive=False)], 1, Actors(1, 1, 0)),
        ([machine(8), machine(3)], 2, Actors(5, 2, 0)),  # 4 and 1, and the eleventh CPU is free
        ([machine(8), machine(8)], 4, Actors(3, 4, 0)),  # a fourth one would hold the last CPU
        ([machine(8), machine(2)], 16, Actors(1, 8, 0)),  # torch's threads are more than the largest machine's CPUs
        ([machine(8)], 8, Actors(1, 7, 0)),  # one that wants all gets all but one
        ([machine(1)], 1, Actors(1, 0.5, 0)),
    ],
)
def test_one_cpu_of_all_stays_free(machines, threads, actors):
    assert actors_for(machines, RaySettings(), threads, "cpu") == actors
    assert actors.number * actors.cpus < sum(each["Resources"]["CPU"] for each in machines if each["Alive"])


def test_models_on_a_gpu_have_one_each():
    assert actors_for([machine(8, 2), machine(8, 1)], RaySettings(), 1, "cuda:0") == Actors(3, 1, 1)
    assert actors_for([machine(8, 2)], RaySettings(gpus_per_actor=0.5), 1, "cuda:0") == Actors(4, 1, 0.5)


@pytest.mark.parametrize(
    ("machines", "actors"),
    [
        ([machine(16, 1)] * 3, Actors(3, 15, 1)),  # with all sixteen, one machine would have none
        ([machine(16, 4)], Actors(4, 3, 1)),  # 15 CPUs for 4
        ([machine(16, 4), machine(16)], Actors(4, 3, 1)),  # a machine without a GPU gets none
        ([machine(2, 4)], Actors(4, 0.25, 1)),
    ],
)
def test_no_gpu_is_idle_for_want_of_cpus(machines, actors):
    assert actors_for(machines, RaySettings(), 16, "cuda") == actors


def test_settings_are_followed():
    asked = RaySettings(cpus_per_actor=3, most_actors=2)
    assert actors_for([machine(16)], asked, 1, "cpu") == Actors(2, 3, 0)


def test_what_no_machine_has_is_told():
    with pytest.raises(
        UserError, match=r"ray.cpus_per_actor: found 4, and the largest machine that could take it has 2"
    ):
        actors_for([machine(2), machine(2)], RaySettings(cpus_per_actor=4), 1, "cpu")
    with pytest.raises(
        UserError, match=r"ray.gpus_per_actor: found 1, and the largest machine that could take it has 0"
    ):
        actors_for([machine(2)], RaySettings(), 1, "cuda")


def test_what_no_machine_has_together_is_told():
    with pytest.raises(
        UserError, match=r"ray.cpus_per_actor: found 8, and the largest machine that could take it has 4"
    ):
        actors_for([machine(16), machine(4, 1)], RaySettings(cpus_per_actor=8), 1, "cuda")
    with pytest.raises(UserError, match="the machines with a GPU have no CPU for work; start them with `--num-cpus`"):
        actors_for([machine(16), machine(0, 1)], RaySettings(), 1, "cuda")
    with pytest.raises(UserError, match="the machines of the cluster have no CPU for work"):
        actors_for([machine(0)], RaySettings(), 1, "cpu")
