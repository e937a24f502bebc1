"""What Ray costs: one job of generation in a process, and by one actor of Ray, at the same time, each on a core of its own.

    python -m benchmarks.scaling.overhead [--batches 300] [--swapped 40] [--output FILE]

A batch is 60 images of the base world's model, two seconds of a core that does nothing else. On the side of Ray all of it, the
driver, Ray's own processes and the actor, shares the one core. Seconds are from the start of each process to its end, so
that loading, starting Ray and stopping it count. The second, shorter job is done with the cores swapped: what other work
on the machine adds to one core is then added to the other side. Ends with 1 if the images differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.scaling.process_trees import ProcessorSeconds

ROOT = Path(__file__).parents[2]
SIDES = ("local", "ray")


def main() -> int:
    """Measure, and print what it consists of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--swapped", type=int, default=40, help="batches of the second job; 0 for none")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/scaling-overhead.json")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        parser.error("found one core; each side needs one")
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    jobs: list[dict[str, Any]] = []
    for batches, order in ((asked.batches, cores), (asked.swapped, cores[::-1])):
        if batches:
            jobs.append(_side_by_side(batches, dict(zip(SIDES, order, strict=True))))
            asked.output.write_text(json.dumps({"machine": machine.device(), "jobs": jobs}, indent=1) + "\n")
    same = all(job["local"]["images"] == job["ray"]["images"] for job in jobs)
    print("the same images on both sides" if same else "THE IMAGES DIFFER")
    return 0 if same else 1


def _side_by_side(batches: int, cores: dict[str, int]) -> dict[str, Any]:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        files = {side: Path(folder) / f"{side}.json" for side in SIDES}
        running = {side: _begin(side, batches, cores[side], files[side]) for side in SIDES}
        seconds: dict[str, float] = {}
        with ProcessorSeconds({side: process.pid for side, (process, _) in running.items()}) as spent:
            while len(seconds) < len(SIDES):
                for side, (process, started) in running.items():
                    if side not in seconds and process.poll() is not None:
                        seconds[side] = time.monotonic() - started
                time.sleep(0.02)
        told: dict[str, Any] = {"batches": batches, "load before": round(load, 1)}
        for side in SIDES:
            told[side] = {"core": cores[side], "seconds": seconds[side], "processor seconds": spent.of(side)}
            by_process = {
                name: round(seconds, 1) for name, seconds in spent.by_process(side).most_common() if seconds >= 1
            }
            told[side]["by process"] = by_process
            told[side] |= json.loads(files[side].read_text())
    _print(told)
    return told


def _begin(side: str, batches: int, core: int, result: Path) -> tuple[subprocess.Popen[bytes], float]:
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.scaling.generation_job", side, str(batches)]
    command += ["--core", str(core), "--started", str(started), "--result", str(result)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}), started


def _print(told: dict[str, Any]) -> None:
    local, ray = told["local"], told["ray"]
    print(f"\n{told['batches']} batches, {ray['tasks']} tasks of Ray, load {told['load before']} before")
    for name in ("seconds", "processor seconds"):
        print(f"{name}: {local[name]:.1f} local, {ray[name]:.1f} on Ray, {ray[name] / local[name] - 1:+.1%}")
    for name, value in ray.items():
        if isinstance(value, float) and not name.endswith("seconds"):
            print(f"    {name}: {value:.1f} s, {value / ray['seconds']:.1%} of Ray's side")
    print(f"    processor seconds of Ray's side: {ray['by process']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
