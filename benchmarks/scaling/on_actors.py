"""The same work in this process and by actors of Ray on this machine, with what both benchmarks of it are asked."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.unfinished import kept_in


def asked(description: str | None, **numbers: int) -> argparse.Namespace:
    """The command line: whole numbers with their usual values, and how many actors, way by way.

    Args:
        description: for ``--help``.
        numbers: by name.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"default: {usual:,}")
    parser.add_argument("--actors", type=int, nargs="*", default=[1, 2], help="default: 1 2")
    return parser.parse_args()


def ways(actors: Sequence[int]) -> Iterator[str]:
    """Say who does what is done now: first this process, then actors that share one CPU's worth of Ray's resources.

    Units are kept in a folder, as a run keeps them.

    Args:
        actors: their number, way by way.
    """
    with tempfile.TemporaryDirectory() as place, kept_in(Path(place, "step", "f")):
        yield "in this process"
    for number in actors:
        settings = RaySettings(cpus_per_actor=1 / number, most_actors=number)
        with (
            tempfile.TemporaryDirectory() as place,
            own_cluster(settings) as address,
            executed_by(RayExecutor(settings, address)),
            kept_in(Path(place, "step", "f")),
        ):
            yield f"by {number} actor{'s' * (number > 1)} of Ray"
            disconnect()
