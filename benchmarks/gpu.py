"""The GPU's column: each stage beside its peer with models of the real shapes and random weights, in under 9 minutes.

    python -m benchmarks.gpu [--parts generation+training] [--output FILE] [--markdown FILE] [--profile FILE]

Every result is checked against float32. Each part runs in a process of its own for a limited time, and rows are written
as they are told, so that a run that is cut off leaves what it measured. Prints a block for ``docs/performance.md``.
``--tiny`` runs all of it on the CPU in shapes that say nothing of speed. Timings decide nothing: the exit code is 1 only
where a check failed or a part did not come to its end.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import result_files
from benchmarks.gpu_stages import parts


def main() -> int:
    """Run the parts; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="+".join(parts.PARTS), help="joined by +; without it all of them")
    parser.add_argument("--output", type=Path, help="JSON of the rows; benchmarks/results/<machine>.json without it")
    parser.add_argument("--markdown", type=Path, help="where the printed block is written, too")
    parser.add_argument("--profile", type=Path, help="where the kernels are written that take the time of our sides")
    parser.add_argument("--tiny", action="store_true", help="on the CPU; writes no results unless --output is given")
    parser.add_argument("--measure", metavar="PART", help="measure one part in this process, for --to")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        _measure(arguments)
        return 0
    chosen = arguments.parts.split("+")
    if unknown := [name for name in chosen if name not in parts.PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(parts.PARTS)}")
    import torch

    if not arguments.tiny and not torch.cuda.is_available():
        parser.error("there is no GPU here; --tiny tries everything on the CPU, in shapes that say nothing of speed")
    with tempfile.TemporaryDirectory() as folder:
        return _run(chosen, Path(folder), arguments)


def _run(chosen: list[str], folder: Path, arguments: argparse.Namespace) -> int:
    from benchmarks.gpu_stages import markdown

    output = arguments.output or (None if arguments.tiny else result_files.of_this_machine())
    profile = arguments.profile.resolve() if arguments.profile else None
    started, rows, missing = time.perf_counter(), [], {}
    if profile:
        profile.unlink(missing_ok=True)
    for name in chosen:
        seconds = parts.left_for(name, chosen, time.perf_counter() - started)
        print(f"[{time.perf_counter() - started:4.0f} s] {name}, at most {seconds:.0f} s", flush=True)
        told, failed = parts.run(name, seconds, folder, arguments.tiny, profile)
        rows += told
        if failed:
            missing[name] = failed
        if output:
            result_files.write(rows, [], output, keep_others=True)
        text = markdown.block(rows, missing, shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]))
        if arguments.markdown:
            arguments.markdown.write_text(text)
    print(text)
    if profile and rows:
        _keep_profile_of_the_farthest(profile, rows)
    broken = [f"{row['stage']}/{row['peer']}: {check}" for row in rows for check in row["broken_checks"]]
    for each in [*broken, *(f"{name}: {why}" for name, why in missing.items())]:
        print(f"FAILED {each}")
    print(f"{len(rows)} rows in {(time.perf_counter() - started) / 60:.1f} minutes")
    return 1 if broken or missing else 0


def _measure(arguments: argparse.Namespace) -> None:
    import torch

    from benchmarks.gpu_stages.place import Place

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    place = Place(device, arguments.folder, arguments.tiny, arguments.profile)
    for row in parts.rows_of(arguments.measure, place):
        told: dict[str, Any] = row.as_json()
        print(f"    {row.stage}/{row.peer}: {told['ratio']:.2f}, {told['ours_per_s']:.4g} {row.unit}/s", flush=True)
        with arguments.to.open("a") as file:
            file.write(json.dumps(told) + "\n")


def _keep_profile_of_the_farthest(profile: Path, rows: list[dict[str, Any]]) -> None:
    """Put the profile of the row that is farthest from the limit first, and say which it is."""
    by_stage = {text.split("\n", 1)[0]: text for text in profile.read_text().split("## ") if text}
    with_share = [row for row in rows if row["share_of_limit"] and row["stage"] in by_stage]
    if not with_share:
        return
    farthest = min(with_share, key=lambda row: row["share_of_limit"])["stage"]
    order = [farthest, *(stage for stage in by_stage if stage != farthest)]
    profile.write_text("".join(f"## {by_stage[stage]}" for stage in order))
    print(f"{profile.name}: first {farthest}, the farthest from the limit")


if __name__ == "__main__":
    sys.exit(main())
