import math

import pytest

from retrieval_vs_diffusion.comparison.costs import COLUMNS, costs
from retrieval_vs_diffusion.comparison.price import Price


def repetition(bring: float, peak: int | None = None, **more: float) -> dict:
    seconds = {"personalise": 100.0, "bring": bring, "screen": 5.0, "train": 35.0}
    measured = {"gpu_seconds": 0.0, "peak_memory_bytes": peak, "stored_bytes": 1_000, "flops": 10}
    return {"seconds": seconds, **measured, **more}


def test_a_row_is_the_mean_of_its_repetitions():
    result = {"strategy": "words", "repetitions": [repetition(20.0), repetition(60.0, stored_bytes=3_000, flops=30)]}
    table = costs([result], Price(per_hour=36.0))
    assert table.columns.tolist() == list(COLUMNS)
    (row,) = table.to_dict("records")
    stages = [row[f"{stage}_seconds"] for stage in ("personalise", "bring", "screen", "train")]
    assert stages == [100, 40, 5, 35]  # 40 of 20 and 60
    assert row["seconds"] == 180  # their sum
    assert row["price"] == pytest.approx(1.8)  # 180 of 3600 seconds at 36 an hour
    assert (row["stored_bytes"], row["diffusion_flops"]) == (2_000, 20)


def test_of_the_gpus_memory_the_largest_peak_counts_and_repetitions_without_one_do_not():
    repetitions = [repetition(1.0, 300, gpu_seconds=1.0), repetition(1.0), repetition(1.0, 700, gpu_seconds=2.0)]
    (row,) = costs([{"strategy": "a", "repetitions": repetitions}], Price()).to_dict("records")
    assert (row["peak_memory_bytes"], row["gpu_seconds"]) == (700, 1.0)  # (1 + 0 + 2) / 3


def test_without_a_gpu_its_memory_is_not_known():
    (row,) = costs([{"strategy": "a", "repetitions": [repetition(1.0)]}], Price()).to_dict("records")
    assert math.isnan(row["peak_memory_bytes"])
    assert row["gpu_seconds"] == 0


def test_rows_keep_their_order_and_of_none_it_is_an_empty_table():
    rows = [{"strategy": name, "repetitions": [repetition(1.0)]} for name in "ba"]
    assert costs(rows, Price())["strategy"].tolist() == ["b", "a"]
    assert costs([], Price()).columns.tolist() == list(COLUMNS)
