"""What each row cost: time by stage, a GPU's time and memory, storage, arithmetic, and money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.price import Price

STAGES = ("personalise", "bring", "screen", "train")
COLUMNS = (
    "strategy",
    *(f"{stage}_seconds" for stage in STAGES),
    "seconds",
    "gpu_seconds",
    "peak_memory_bytes",
    "stored_bytes",
    "diffusion_flops",
    "price",
)


def costs(results: Sequence[Mapping[str, Any]], price: Price) -> pd.DataFrame:
    """A row a strategy, means of a repetition.

    Seconds of ``personalise``, ``bring`` (generating or searching), ``screen`` and ``train``, and their sum;
    ``gpu_seconds`` for which a GPU was held, ``peak_memory_bytes`` of it (the largest of all repetitions, NaN
    without one); ``stored_bytes`` of added images and of what was learned; ``diffusion_flops``, counted, two for
    each multiply-add; ``price`` in the currency of the parameter. What several rows share (a personalisation)
    is counted for each of them; what all share (embedding the pool) for none.
    """
    rows = []
    for result in results:
        repetitions = result["repetitions"]
        seconds = {stage: float(np.mean([each["seconds"][stage] for each in repetitions])) for stage in STAGES}
        peaks = [each["peak_memory_bytes"] for each in repetitions if each["peak_memory_bytes"] is not None]
        total = sum(seconds.values())
        rows.append(
            {
                "strategy": result["strategy"],
                **{f"{stage}_seconds": value for stage, value in seconds.items()},
                "seconds": total,
                "gpu_seconds": float(np.mean([each["gpu_seconds"] for each in repetitions])),
                "peak_memory_bytes": max(peaks, default=np.nan),
                "stored_bytes": float(np.mean([each["stored_bytes"] for each in repetitions])),
                "diffusion_flops": float(np.mean([each["flops"] for each in repetitions])),
                "price": total / 3600 * price.per_hour,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
