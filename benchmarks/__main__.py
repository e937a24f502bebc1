"""Measure each stage beside its peer, in one run: ``make benchmark``.

    python -m benchmarks [--only search/autofaiss+screening/brute-force] [--output FILE]

Each row runs in a process of its own. Prints a table and writes ``benchmarks/results/<machine>.json``; a row that does
not hold what was asked is said below the table. Timings decide nothing: the exit code is 1 only where a row failed or
both sides did not do the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import result_files
from benchmarks.rows import Row, all_rows


def main() -> int:
    """Run the rows; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="rows as stage/peer, joined by +; without it all of them")
    parser.add_argument("--output", type=Path, default=result_files.of_this_machine())
    parser.add_argument("--measure", metavar="ROW", help="measure one row in this process, for --to")
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    rows = all_rows()
    if arguments.measure:
        arguments.to.write_text(json.dumps(_measured(rows[arguments.measure])))
        return 0
    chosen = arguments.only.split("+") if arguments.only else list(rows)
    if unknown := [name for name in chosen if name not in rows]:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(rows)}")
    started, told, failed = time.perf_counter(), [], []
    for number, name in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {name}", flush=True)
        result = _in_a_process(name)
        if result is None:
            failed.append(name)
            continue
        told.append(result)
        print(f"    {result['ratio']:.2f}, {result['work']}; {result['checked']} ({result['took']:.0f} s)", flush=True)
    _print_table(told)
    for result in told:
        if not rows[name := f"{result['stage']}/{result['peer']}"].holds(result["ratio"]):
            print(f"{name}: {result['ratio']:.2f}, asked is {rows[name].asked}")
    result_files.write(told, failed, arguments.output, keep_others=bool(arguments.only))
    different = [each for each in told if each["decides_alike"] and not each["same_result"]]
    for each in different:
        print(f"{each['stage']}/{each['peer']}: not the same result: {each['checked']}")
    for name in failed:
        print(f"{name}: failed, see above")
    print(f"{len(told)} rows in {(time.perf_counter() - started) / 60:.1f} minutes, {arguments.output.name}")
    return 1 if failed or different else 0


def _in_a_process(name: str) -> dict[str, Any] | None:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks", "--measure", name, "--to", str(result)]
        if subprocess.run(command, cwd=result_files.RESULTS.parents[1], check=False).returncode or not result.exists():
            return None
        return {**json.loads(result.read_text()), "took": time.perf_counter() - started}


def _measured(row: Row) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        measured = row.measure(Path(folder))
    return result_files.described(row.stage, row.peer, measured)


def _print_table(told: list[dict[str, Any]]) -> None:
    table = Table("stage", "peer")
    for name in ("ours", "theirs", "ratio", "spread"):
        table.add_column(name, justify="right")
    table.add_column("same result")
    for each in told:
        table.add_row(
            each["stage"],
            each["peer"],
            f"{each['ours_s']:.3g} s",
            f"{each['theirs_s']:.3g} s",
            f"{each['ratio']:.2f}",
            f"{each['ratio_low']:.2f} to {each['ratio_high']:.2f}",
            "yes" if each["same_result"] else "no",
        )
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)


if __name__ == "__main__":
    sys.exit(main())
