"""Where the time of a run goes, from a profile of all its processes.

    pip install py-spy
    py-spy record --subprocesses --function --rate 25 --format raw --output profile.txt -- kedro run
    python benchmarks/profile_of_run.py profile.txt

Samples are of threads that do not wait. They are told by step, and by the innermost function of the project;
what libraries do counts for the function that called them, loading modules is told apart.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = "retrieval_vs_diffusion/"
_ROWS = 25


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path)
    samples = read(parser.parse_args().profile.read_text())
    total = sum(sample.count for sample in samples)
    for title, by in (("what", what), ("step's function", step), ("innermost function of ours", innermost)):
        counted: Counter[str] = Counter()
        for sample in samples:
            counted[by(sample)] += sample.count
        print(f"\n| {title} | share |\n|---|---|")
        for name, count in counted.most_common(_ROWS):
            print(f"| {name} | {count / total:.1%} |")


@dataclass(frozen=True)
class Sample:
    """A stack that was seen.

    Args:
        frames: outermost first.
        count: how often.
        in_worker: whether its process is a worker.
    """

    frames: tuple[str, ...]
    count: int
    in_worker: bool


def read(raw: str) -> list[Sample]:
    """The stacks of a profile but those of threads that wait."""
    seen = []
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if not frame.startswith(("process ", "thread "))]
        if frames and "wait (threading.py" not in frames[-1]:
            process = re.findall(r"process (\d+)", stack)[-1]  # those that it descends from stand before it
            seen.append((process, tuple(frames), int(count)))
    workers = {process for process, frames, _ in seen if _within(frames, "_run_node (")}
    return [Sample(frames, count, process in workers) for process, frames, count in seen]


def what(sample: Sample) -> str:
    """What kind of work a stack does."""
    where = "in a worker" if sample.in_worker else "in the main process"
    if _loads(sample.frames):
        return f"loading modules, {where}"
    if _within(sample.frames, "kedro/pipeline/node.py") or _within(sample.frames, "CountedFlops"):
        return "functions of steps"
    for name, words in (
        ("MLflow", "tracking.py"),
        ("reading inputs", "load ("),
        ("saving outputs", "save ("),
        ("fingerprints and records", "freshness.py"),
        ("locks", "claims.py"),
        ("building pipelines", "pipeline_registry.py"),
    ):
        if _within(sample.frames, words):
            return f"{name}, {where}"
    return f"other, {where}"


def step(sample: Sample) -> str:
    """The function of the step in which a stack is."""
    frames = sample.frames
    at = [place for place, frame in enumerate(frames) if "kedro/pipeline/node.py" in frame]
    own = [frame for frame in frames[at[-1] + 1 :] if _PACKAGE in frame] if at else []
    return _short(own[0]) if own else "none"


def innermost(sample: Sample) -> str:
    """The innermost function of the project in a stack."""
    if _loads(sample.frames):
        return "loading modules"
    own = [frame for frame in sample.frames if _PACKAGE in frame]
    return _short(own[-1]) if own else "none"


def _loads(frames: tuple[str, ...]) -> bool:
    """Whether a module is loaded, other than by the commands that MLflow keeps as modules and runs."""
    last = max((place for place, frame in enumerate(frames) if _PACKAGE in frame), default=-1)
    return _within(frames[last:] if last >= 0 else frames, "importlib") and not _within(frames, "db_migrations")


def _within(frames: tuple[str, ...], words: str) -> bool:
    return any(words in frame for frame in frames)


def _short(frame: str) -> str:
    """Without the place of the package, and without the line."""
    return re.sub(rf"\((?:.*/)?{_PACKAGE}", "(", re.sub(r":\d+\)$", ")", frame))


if __name__ == "__main__":
    main()
