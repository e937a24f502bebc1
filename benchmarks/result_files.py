"""The files of measured rows, ``benchmarks/results/<machine>.json``: a list of objects with ``FIELDS``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.measuring import Measured

RESULTS = Path(__file__).parent / "results"
FIELDS = ("stage", "peer", "ratio", "ratio_low", "ratio_high", "same_result", "ours_s", "theirs_s", "device")


def of_this_machine() -> Path:
    """Where the rows of this machine are written."""
    return RESULTS / f"{machine.file_name()}.json"


def described(stage: str, peer: str, measured: Measured) -> dict[str, Any]:
    """A row as JSON can hold it: ``FIELDS``, ``decides_alike``, and ``work`` and ``checked`` in words.

    The seconds are those of the repeat with the median ratio.
    """
    middle = sorted(range(len(measured.ratios)), key=measured.ratios.__getitem__)[len(measured.ratios) // 2]
    return {
        "stage": stage,
        "peer": peer,
        "ratio": measured.ratio,
        "ratio_low": min(measured.ratios),
        "ratio_high": max(measured.ratios),
        "same_result": measured.same_result,
        "ours_s": measured.ours[middle],
        "theirs_s": measured.theirs[middle],
        "device": machine.device(),
        "decides_alike": measured.decides_alike,
        "work": measured.work,
        "checked": measured.checked,
    }


def write(told: Sequence[Mapping[str, Any]], failed: Collection[str], output: Path, keep_others: bool) -> None:
    """Write rows; of each what ``FIELDS`` names.

    Args:
        told: as ``described`` gives them.
        failed: ``stage/peer`` of rows that failed; what the file says of them is taken out.
        output: the file.
        keep_others: whether rows that were not measured this time stay as they were.
    """
    rows = {(each["stage"], each["peer"]): {field: each[field] for field in FIELDS} for each in told}
    if keep_others and output.exists():
        earlier = {(each["stage"], each["peer"]): each for each in json.loads(output.read_text())}
        rows = {**{key: each for key, each in earlier.items() if "/".join(key) not in failed}, **rows}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(list(rows.values()), indent=2) + "\n")
