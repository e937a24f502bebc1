"""The measured rows as a block for ``docs/performance.md``."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

_PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "timm", "open_clip_torch")
_HEAD = (
    "| stage | peer | asked | ratio | spread | ours | theirs | aim | TFLOP/s | of the limit | memory | same result |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def block(rows: Sequence[Mapping[str, Any]], missing: Mapping[str, str], command: str) -> str:
    """Where and when it was measured, a table, what was compared, and what was not measured.

    Args:
        rows: as ``GpuRow.as_json`` gives them.
        missing: parts that did not come to their end, and why.
        command: that measured them.
    """
    lines = [f"Measured on {datetime.date.today():%d %B %Y}, {_machine()}, by `{command}`.", "", _HEAD]
    lines += [_line(row) for row in rows]
    lines += ["", "What was done and compared:", ""]
    lines += [f"- `{row['stage']}` / `{row['peer']}`: {row['work']}. {'; '.join(row['checks'])}." for row in rows]
    lines += [f"- `{name}`: not measured to its end, {why}." for name, why in missing.items()]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    unit = row["unit"]
    cells = [
        f"`{row['stage']}`",
        f"`{row['peer']}`",
        f"{row['at_least']:g}x" if row["at_least"] else "",
        f"{row['ratio']:.2f}x",
        f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}",
        f"{row['ours_per_s']:.4g} {unit}/s",
        f"{row['theirs_per_s']:.4g} {unit}/s",
        f"{row['aim']:g} {unit}/s" if row["aim"] else "",
        f"{row['flops_per_s'] / 1e12:.3g}" if row["flops_per_s"] else "",
        f"{row['share_of_limit'] * 100:.2g} %" if row["share_of_limit"] else "",
        f"{row['peak_memory'] / 2**30:.1f} GiB" if row["peak_memory"] else "",
        "yes" if row["same_result"] else "**no**",
    ]
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    import torch

    from benchmarks import machine

    versions = []
    for name in _PACKAGES:
        versions.append(f"{name} {importlib.metadata.version(name)}")
    cuda = [f"CUDA {torch.version.cuda}"] if torch.cuda.is_available() else []
    return ", ".join([machine.device(), *cuda, *versions])
