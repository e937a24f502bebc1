"""Growth over machines: a cluster of raylets on this one, and a model that sleeps a second a unit.

    python -m benchmarks.scaling.nodes [--nodes 1 2 4 8] [--units 40] [--seconds 1.0] [--output FILE]

Each machine is a raylet of its own on loopback with two CPUs by name, all of which its one actor holds; the driver's has one CPU
and makes nothing. Cores are not what is measured, so they need not suffice; starting Python eight times takes what it takes
of them, and is told apart. Each machine has as many units to make, whatever their number. Rows of other numbers of machines
stay in the file as they are; with all of them it draws ``docs/images/scaling_nodes.png``.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scaling.sleeping import Sleeping, growth, units_of
from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, load_ray, own_environment
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.unfinished import Section

ROOT = Path(__file__).parents[2]
NODES = (1, 2, 4, 8)
COLUMNS = ("nodes", "units", "seconds_a_unit", "start_s", "steady_per_s", "whole_per_s")
_MACHINE = {"node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000}


def main() -> None:
    """Measure some numbers of machines, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="*", default=NODES)
    parser.add_argument("--units", type=int, default=40, help="for each machine")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a unit sleeps")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/scaling-nodes.csv")
    asked = parser.parse_args()
    os.environ.update(own_environment())
    load_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(head_node_args={**_MACHINE, "num_cpus": 1, "include_dashboard": False}, initialize_head=True)
    rows: list[dict[str, Any]] = []
    try:
        for nodes in asked.nodes:
            while len(cluster.worker_nodes) < nodes:
                cluster.add_node(**_MACHINE, num_cpus=2)
            rows.append(_measured(cluster.address, nodes, asked.units, asked.seconds))
            print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    finally:
        disconnect()
        cluster.shutdown()
    rows = _written(asked.output, rows)
    if {int(row["nodes"]) for row in rows} >= set(NODES):
        from benchmarks.scaling.nodes_plot import draw

        draw(rows, ROOT / "docs/images/scaling_nodes.png")


def _measured(address: str, nodes: int, units: int, seconds: float) -> dict[str, Any]:
    executor = RayExecutor(RaySettings(cpus_per_actor=2), address)
    with tempfile.TemporaryDirectory() as folder, executed_by(executor):
        called = time.time()
        made = list(executor.run(Sleeping(seconds), units_of(units * nodes), Section(Path(folder)), "sleeping"))
    seen = growth(called, made)
    if seen.machines != nodes:
        raise RuntimeError(f"{seen.machines} machines made the units, {nodes} are there")
    rates = {
        "start_s": round(seen.start, 1),
        "steady_per_s": round(seen.steady, 3),
        "whole_per_s": round(seen.whole, 3),
    }
    return {"nodes": nodes, "units": len(made), "seconds_a_unit": seconds, **rates}


def _written(file: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the rows, with those of other numbers of machines that the file has; returns all."""
    measured = {str(row["nodes"]) for row in rows}
    if file.exists():
        with file.open(newline="") as opened:
            rows = [row for row in csv.DictReader(opened) if row["nodes"] not in measured] + rows
    rows.sort(key=lambda row: int(row["nodes"]))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


if __name__ == "__main__":
    main()
