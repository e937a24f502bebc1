"""How seconds, memory and disk grow: ``make growth``, some 10 minutes on 2 idle cores.

    python -m benchmarks.growth [--series vectors+classes] [--up-to 2] [--output FILE]

Each step of each size runs in a process of its own, so that its peak of memory is its own. Writes
``benchmarks/results/growth-<machine>.csv``, in which series that are not measured this time stay as they are, and draws
``docs/images/growth.png`` when all are there.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.growth import exponents
from benchmarks.growth.series import Series, all_series
from benchmarks.growth.watching import NotItsOwn, watch

ROOT = Path(__file__).parents[2]
COLUMNS = ("series", "step", "size", "seconds", "cpu_seconds", "peak_mb", "held_mb", "disk_mb")


def main() -> None:
    """Measure the series, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", help="names joined by +; without it all")
    parser.add_argument("--up-to", type=int, help="so many of each series' sizes, the smallest first")
    parser.add_argument("--output", type=Path, default=ROOT / f"benchmarks/results/growth-{machine.file_name()}.csv")
    parser.add_argument("--measure", nargs=3, metavar=("SERIES", "STEP", "SIZE"), help="one step in this process")
    parser.add_argument("--folder", type=Path, help="for --measure: where it reads and writes")
    arguments = parser.parse_args()
    series = all_series()
    if arguments.measure:
        name, step, size = arguments.measure
        _measure(series[name], step, int(size), arguments.folder)
        return
    chosen = arguments.series.split("+") if arguments.series else list(series)
    if unknown := [name for name in chosen if name not in series]:
        parser.error(f"there is no series {unknown[0]}; there are {', '.join(series)}")
    started, rows = time.perf_counter(), []
    for name in chosen:
        rows += _measured(series[name], arguments.up_to)
    rows = _written(arguments.output, rows, chosen)
    if {row["series"] for row in rows} == set(series):
        from benchmarks.growth.plot import draw

        draw(rows, series, ROOT / "docs/images/growth.png")
    print(f"{len(rows)} rows in {(time.perf_counter() - started) / 60:.1f} minutes, {arguments.output.name}")


def _written(file: Path, rows: list[dict[str, Any]], chosen: list[str]) -> list[dict[str, Any]]:
    """Write the rows, with those of other series that the file has; returns all."""
    if file.exists():
        with file.open(newline="") as opened:
            rows = [row for row in csv.DictReader(opened) if row["series"] not in chosen] + rows
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _measured(series: Series, up_to: int | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for size in series.sizes[:up_to]:
            folder = Path(place) / ("all" if series.shares_folder else str(size))
            if not folder.exists():
                folder.mkdir()
                _in_a_process(series.name, "prepare", size, folder)
            for step in series.steps:
                told = _in_a_process(series.name, step, size, folder)
                row = {"series": series.name, "step": step, "size": size}
                row |= {"seconds": round(told["seconds"], 3), "cpu_seconds": round(told["cpu"], 3)}
                row |= {f"{name}_mb": round(told[name] / 1e6, 1) for name in ("peak", "held", "disk")}
                rows.append(row)
                print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    for step in series.steps if len(series.sizes[:up_to]) > 1 else ():
        own = [row for row in rows if row["step"] == step]
        sizes = [row["size"] for row in own]
        said = ", ".join(
            f"{column} {exponents.fitted(sizes, values):.2f} (at the end {exponents.at_the_end(sizes, values):.2f})"
            for column in ("seconds", "cpu_seconds", "peak_mb", "held_mb", "disk_mb")
            if min(values := [row[column] for row in own]) > 0
        )
        print(f"{series.name}, {step}: exponents of {said}", flush=True)
    return rows


def _in_a_process(series: str, step: str, size: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.growth", "--measure", series, step, str(size), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{series}, {step}, {size} failed:\n{done.stdout[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(series: Series, step: str, size: int, folder: Path) -> None:
    """Prints as its last line what it took."""
    if step == "prepare":
        series.prepare(size, folder)
        print("{}")
        return
    running = series.steps[step](size, folder)
    next(running)

    def work() -> NotItsOwn | None:
        try:
            next(running)
        except StopIteration as ended:
            return ended.value
        raise RuntimeError(f"{step} yields more than once")

    print(json.dumps(asdict(watch(work, folder))))


if __name__ == "__main__":
    main()
