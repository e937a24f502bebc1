"""How many actors a cluster gets, and what each of them holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.settings import RaySettings


@dataclass(frozen=True)
class Actors:
    """A number of actors, with the processors that each of them is given."""

    number: int
    cpus: float
    gpus: float


def actors_for(nodes: Sequence[Mapping[str, Any]], settings: RaySettings, threads: int, device: str) -> Actors:
    """As many actors as the living machines have room for, and one CPU of all stays free.

    Actors that hold every CPU starve what else Ray has to run, and the job hangs (ray issue 44687).

    Args:
        nodes: as ``ray.nodes()`` tells of them.
        settings: what each actor is given.
        threads: of torch, in each actor.
        device: where the models run.

    Raises:
        UserError: if no machine has all that one actor is to have.

    Example:
        >>> two = [{"Alive": True, "Resources": {"CPU": 2.0}}] * 2
        >>> actors_for(two, RaySettings(), threads=1, device="cpu")
        Actors(number=3, cpus=1, gpus=0)
    """
    machines = [node["Resources"] for node in nodes if node["Alive"]]
    total = sum(machine.get("CPU", 0) for machine in machines)
    gpus = settings.gpus_per_actor
    if gpus is None:
        gpus = 1 if device.startswith("cuda") else 0
    _check("gpus_per_actor", gpus, max((machine.get("GPU", 0) for machine in machines), default=0))
    machines = [machine for machine in machines if machine.get("GPU", 0) >= gpus]
    largest = max((machine.get("CPU", 0) for machine in machines), default=0)
    if not largest:
        which = "machines with a GPU" if gpus else "machines of the cluster"
        raise UserError(f"ray.address: the {which} have no CPU for work; start them with `--num-cpus`")
    cpus = settings.cpus_per_actor
    if cpus is None:
        cpus = min(threads, largest, *_beside_gpus(machines, gpus))
    _check("cpus_per_actor", cpus, largest)
    room = [_fits(machine, cpus, gpus) for machine in machines]
    number = min(sum(room), int((total - 1) // cpus))
    if number < 1:  # one machine of few CPUs: an actor may hold all but one, or half of one
        number, cpus = 1, max(total - 1, total / 2)
    return Actors(min(number, settings.most_actors or number), cpus, gpus)


def _beside_gpus(machines: Sequence[Mapping[str, float]], gpus: float) -> list[float]:
    """CPUs of an actor with which each machine has room for an actor on all its GPUs, and one CPU to spare."""
    if not gpus:
        return []
    shares = [max(machine.get("CPU", 0) - 1, 0.5) / (machine["GPU"] // gpus) for machine in machines]
    return [float(int(share)) if share >= 1 else share for share in shares]


def _fits(machine: Mapping[str, float], cpus: float, gpus: float) -> int:
    return int(min(machine.get("CPU", 0) // cpus, machine.get("GPU", 0) // gpus if gpus else float("inf")))


def _check(name: str, asked: float, largest: float) -> None:
    if asked > largest:
        raise UserError(f"ray.{name}: found {asked:g}, and the largest machine that could take it has {largest:g}")
