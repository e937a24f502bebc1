"""What Ray costs: one job of generation in a process of one thread, and by one actor of Ray with one thread.

    python -m benchmarks.scaling.overhead [--apart 400] [--batches 300] [--swapped 40] [--output FILE]

A batch is 60 images of the base world's model, a second and a half of a core that does nothing else. Seconds are from the start of each
process to its end, so that loading, starting Ray and stopping it count. Three jobs, each left out with 0:

- apart: one side after the other, each with the machine to itself, as a user has it. Ray's own processes find a core that the actor leaves;
- batches: both sides at once, each pinned to a core of its own. All that Ray is, the driver and the actor share that core: what is the most
  that it can cost;
- swapped: the same with the cores swapped: what other work on the machine adds to one core is then added to the other side.

Ends with 1 if the images differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.scaling.process_trees import ProcessorSeconds

ROOT = Path(__file__).parents[2]
SIDES = ("local", "ray")


def main() -> int:
    """Measure, and print what it consists of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apart", type=int, default=400, help="batches of the job that is done apart")
    parser.add_argument("--batches", type=int, default=300, help="of the job that is done at once")
    parser.add_argument("--swapped", type=int, default=40, help="of the job with the cores swapped")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/scaling-overhead.json")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        parser.error("found one core; each side needs one")
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    jobs: list[dict[str, Any]] = []
    at_once, swapped = (dict(zip(SIDES, order, strict=True)) for order in (cores, cores[::-1]))
    for batches, groups in (
        (asked.apart, [{side: None} for side in SIDES]),
        (asked.batches, [at_once]),
        (asked.swapped, [swapped]),
    ):
        if batches:
            jobs.append(_job(batches, groups))
            asked.output.write_text(json.dumps({"machine": machine.device(), "jobs": jobs}, indent=1) + "\n")
    same = all(job["local"]["images"] == job["ray"]["images"] for job in jobs)
    print("the same images on both sides" if same else "THE IMAGES DIFFER")
    return 0 if same else 1


def _job(batches: int, groups: Sequence[Mapping[str, int | None]]) -> dict[str, Any]:
    """Both sides; those of a group at once, each on its core, or on all where that is None."""
    told: dict[str, Any] = {"batches": batches, "load before": round(os.getloadavg()[0], 1)}
    for cores in groups:
        told |= _sides(batches, cores)
    _print(told)
    return told


def _sides(batches: int, cores: Mapping[str, int | None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        files = {side: Path(folder) / f"{side}.json" for side in cores}
        running = {side: _begin(side, batches, core, files[side]) for side, core in cores.items()}
        seconds: dict[str, float] = {}
        with ProcessorSeconds({side: process.pid for side, (process, _) in running.items()}) as spent:
            while len(seconds) < len(cores):
                for side, (process, started) in running.items():
                    if side not in seconds and process.poll() is not None:
                        seconds[side] = time.monotonic() - started
                time.sleep(0.02)
        told: dict[str, Any] = {}
        for side, core in cores.items():
            by_process = {name: round(each, 1) for name, each in spent.by_process(side).most_common() if each >= 1}
            told[side] = {
                "core": core,
                "seconds": seconds[side],
                "processor seconds": spent.of(side),
                "by process": by_process,
                **json.loads(files[side].read_text()),
            }
    return told


def _begin(side: str, batches: int, core: int | None, result: Path) -> tuple[subprocess.Popen[bytes], float]:
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.scaling.generation_job", side, str(batches)]
    command += ["--started", str(started), "--result", str(result)]
    command += [] if core is None else ["--core", str(core)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}), started


def _print(told: dict[str, Any]) -> None:
    local, ray = told["local"], told["ray"]
    how = "apart" if ray["core"] is None else "at once"
    print(f"\n{told['batches']} batches, {how}, {ray['tasks']} tasks of Ray, load {told['load before']} before")
    for name in ("seconds", "processor seconds"):
        print(f"{name}: {local[name]:.1f} local, {ray[name]:.1f} on Ray, {ray[name] / local[name] - 1:+.1%}")
    for name, value in ray.items():
        if isinstance(value, float) and not name.endswith("seconds"):
            print(f"    {name}: {value:.1f} s, {value / ray['seconds']:.1%} of Ray's side")
    print(f"    processor seconds of Ray's side: {ray['by process']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
