"""One side of the overhead's measurement: a job of generation in a process, here or by one actor of Ray.

    python -m benchmarks.scaling.generation_job local 20 --core 0 --started MONOTONIC --result FILE

The job is a row's: ``TextToImage`` of the base world, whose batches are kept as units of unfinished work.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch

from retrieval_vs_diffusion.executors.executor import Executor, LocalExecutor, executed_by
from retrieval_vs_diffusion.executors.ray_actor import Report
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import Section, kept_in

MODEL = Path(__file__).parents[2] / "data" / "06_models" / "pretrained" / "diffusion"
CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class NotedRayExecutor(RayExecutor):
    """Writes down when each task was done, and what its actor spent on it."""

    noted: list[tuple[float, float]]

    def _reports(self, work: Work[Any], units: Sequence[Unit], kept: Section) -> Generator[Report, None, None]:
        self.noted = []
        with contextlib.closing(super()._reports(work, units, kept)) as reports:
            for report in reports:
                self.noted.append((time.monotonic(), report.cost.seconds))
                yield report


def main() -> None:
    """Do the job and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("local", "ray"))
    parser.add_argument("batches", type=int, help="of 60 images")
    parser.add_argument("--core", type=int, help="for this process and all that it starts; without it all cores")
    parser.add_argument("--started", type=float, required=True, help="when this process was")
    parser.add_argument("--result", type=Path, required=True)
    asked = parser.parse_args()
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    torch.set_num_threads(1)
    told = _local(asked.batches) if asked.side == "local" else _on_ray(asked.batches, asked.started)
    asked.result.write_text(json.dumps(told))


def _local(batches: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"images": _digest(batches, Path(folder), LocalExecutor())}


def _on_ray(batches: int, started: float) -> dict[str, Any]:
    settings = RaySettings(cpus_per_actor=1, most_actors=1)
    loaded = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, own_cluster(settings) as address:
        there = time.monotonic()
        executor = NotedRayExecutor(settings, address)
        images = _digest(batches, Path(folder), executor)
        last = time.monotonic()
        disconnect()
    stopped = time.monotonic()
    times, spent = zip(*executor.noted, strict=True)
    return {
        "images": images,
        "tasks": len(times),
        "loading modules": loaded - started,
        "starting Ray": there - loaded,
        "connecting, the model, the actor's start": times[0] - there - spent[0],
        "making": sum(spent),
        "between tasks": times[-1] - times[0] - sum(spent[1:]),
        "after the last task": last - times[-1],
        "stopping Ray": stopped - last,
    }


def _digest(batches: int, folder: Path, executor: Executor) -> str:
    """Of all images of the job."""
    sampling = Sampling()
    resources = {"diffusion": load_diffusion(str(MODEL)), "sampling": sampling}
    world = Surroundings(CLASSES, "simple_prompt", ("overhead", "simple_prompt", "repetition_0", 0), resources)
    # The first class has what does not go into ten.
    each, more = divmod(batches * sampling.batch_size, len(CLASSES))
    wanted = {label: each + (more if label == 0 else 0) for label in range(len(CLASSES))}
    digest = hashlib.sha256()
    with executed_by(executor), kept_in(folder / "step" / "fingerprint"):
        for row in TextToImage().propose(wanted, dict.fromkeys(wanted, 0), world):
            digest.update(f"{row['image_id']} {row['content_hash']}".encode() + row["image"]["bytes"])
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    main()
