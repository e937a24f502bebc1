"""Where the time of a run goes, from a profile of all its processes.

    pip install py-spy
    py-spy record --subprocesses --function --rate 25 --format raw --output profile.txt -- kedro run
    python benchmarks/profile_of_run.py profile.txt

Samples are of threads that compute. Of a worker they are told by step, and by the innermost function of the project;
what libraries do counts for the function that called them, loading modules is told apart.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = "retrieval_vs_diffusion/"
_ROWS = 25


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path)
    samples = list(read(parser.parse_args().profile.read_text()))
    total = sum(count for _, count in samples)
    for title, by in (("what", what), ("step's function", step), ("innermost function of ours", innermost)):
        counted: Counter[str] = Counter()
        for frames, count in samples:
            counted[by(frames)] += count
        print(f"\n| {title} | share |\n|---|---|")
        for name, count in counted.most_common(_ROWS):
            print(f"| {name} | {count / total:.1%} |")


def read(raw: str) -> Iterator[tuple[list[str], int]]:
    """Stacks, outermost frame first, with how often they were seen."""
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        yield [frame for frame in stack.split(";") if not frame.startswith(("process ", "thread "))], int(count)


def what(frames: list[str]) -> str:
    """What kind of work a stack does."""
    if any("importlib" in frame for frame in frames):
        return f"loading modules, {_where(frames)}"
    at = _node(frames)
    if at is not None:
        return "functions of steps"
    for name, words in (
        ("reading inputs", " load "),
        ("saving outputs", " save "),
        ("MLflow", "tracking.py"),
        ("fingerprints and records", "freshness.py"),
        ("locks", "claims.py"),
        ("building pipelines", "pipeline_registry.py"),
        ("reading configuration", "config/"),
    ):
        if any(words in f" {frame} " or words in frame for frame in frames):
            return f"{name}, {_where(frames)}"
    return f"other, {_where(frames)}"


def step(frames: list[str]) -> str:
    """The function of the step in which a stack is."""
    at = _node(frames)
    own = [frame for frame in frames[at + 1 :] if _PACKAGE in frame] if at is not None else []
    return _short(own[0]) if own else "none"


def innermost(frames: list[str]) -> str:
    """The innermost function of the project in a stack."""
    if any("importlib" in frame for frame in frames):
        return "loading modules"
    own = [frame for frame in frames if _PACKAGE in frame]
    return _short(own[-1]) if own else "none"


def _node(frames: list[str]) -> int | None:
    """Where Kedro's node calls the step's function."""
    found = [place for place, frame in enumerate(frames) if "kedro/pipeline/node.py" in frame]
    return found[-1] if found else None


def _where(frames: list[str]) -> str:
    return "in a worker" if any("_run_node" in frame for frame in frames) else "in the main process"


def _short(frame: str) -> str:
    """Without the place of the package."""
    return re.sub(rf"\((?:.*/)?{_PACKAGE}", "(", frame)


if __name__ == "__main__":
    main()
