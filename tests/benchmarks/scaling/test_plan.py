"""What large pools and studies are said to take: by hand, and marked where something was assumed."""

from __future__ import annotations

import json

import pytest

from benchmarks.scaling import plan
from benchmarks.scaling.figures import Figure, read_rates, two_digits

RATES = read_rates(plan.RATES)
# Of these the arithmetic is easy: a GPU that does 10^12 operations a second, half of 2 x 10^12.
EASY = {
    **RATES,
    "gpu_limit_flops": Figure(2e12, True),
    "gpu_share": Figure(0.5, True),
    "vit_l14_flops": Figure(36e9),
    "vit_b32_flops": Figure(9e9),
    "vit_b32_core_s": Figure(0.09),
    "decode_core_s": Figure(0.0036),
    "sd_50_flops": Figure(72e12),
    "sd_call_flops": Figure(1e12),
    "sd_decoder_flops": Figure(16e12),
    "index_add_core_s": Figure(3.6e-5),
    "index_vector_bytes": Figure(72.0),
    "vector_bytes": Figure(3072.0),
    "training_images_s": Figure(16_000, True),
}


def test_a_pool_by_hand():
    lines = plan.pool_plan(10**8, EASY, hours=10)
    # A core embeds in 0.09 s x 36 / 9 = 0.36 s: 10^8 images in 36 million seconds.
    assert lines["embedding, ViT-L-14: core-hours, no GPU"] == "10,000"
    # A GPU in 36e9 / 1e12 = 0.036 s, so 1,000 hours; its share was assumed.
    assert lines["or GPU-hours"] == "1,000 °"
    assert lines["with core-hours of decoding"] == "100"
    assert lines["embeddings: ours, single precision"] == "310 GB"  # 307.2
    assert lines["or others' in half precision"] == "150 GB"  # 2 x 768 x 10^8 = 153.6 x 10^9
    assert lines["index: memory, and disk"] == "7.2 GB"
    assert lines["machines, to embed in 10 h"] == "100 ° GPUs with 10 cores in all, or 1,000 cores"


def test_training_the_lists_by_hand():
    # 25 rounds x 40 x 32,768 vectors x 32,768 lists x 2 x 256 = 5.498e14 operations, of which
    # a core does 9e9 in 0.09 s.
    assert plan.list_training("OPQ64_256,IVF32768_HNSW32,PQ64", EASY).value == pytest.approx(
        5.498e14 / 1e11 / 3600, 1e-3
    )


def test_the_index_is_the_one_that_would_be_made():
    assert [plan.pool_plan(n, RATES, 24)["index that `auto` takes"] for n in (10**5, *plan.POOLS)] == [
        "`Flat`",
        "`stream`",
        "`OPQ64_256,IVF32768_HNSW32,PQ64`",
        "`OPQ64_256,IVF262144_HNSW32,PQ64`",
    ]
    assert plan.pool_plan(10**6, RATES, 24)["index: memory, and disk"] == "none"


def test_a_row_by_hand():
    # 72e12 / 1e12 = 72 s an image of 50 steps, 20 + 16 = 36 of 20 steps: 100 images take two hours, or one.
    assert plan.generating(100, 50, EASY) == Figure(2.0, True)
    assert plan.generating(100, 20, EASY) == Figure(1.0, True)
    # Five classifiers of 45,000 x 256 images, 16,000 a second: 5 x 720 s.
    assert plan.training(EASY) == Figure(1.0, True)
    lines = plan.generation_plan(1_000, EASY, hours=4)
    assert (lines["GPU-hours, 50 steps"], lines["GPU-hours, 20 steps"]) == ("20 °", "10 °")
    assert lines["GPUs, to generate in 4 h, 50 steps"] == "5 °"
    assert lines["retrieved instead: addresses asked"] == "1,500"


def test_the_study_is_the_sum_of_its_rows():
    lines = plan.study_plan(100, EASY)
    # boomerang: 4 x 0.5 + 2 x 16 = 34 s an image; words: 1.6 million images of a second each.
    assert lines["`boomerang`, 4 of 20 steps"] == "0.94 °"
    assert lines["`textual_inversion`: learning 1,000 words, 100,000 steps of 16 images"] == "440 °"
    assert lines["training: 6 rows x 5 classifiers"] == "6 °"
    assert lines["**together**"] == "450 °"  # 0.94 + 1 + 444.44 + 1 + 6 = 453.4
    assert lines["**together, with 50 steps in both rows from text**"] == "460 °"  # an hour more in each: 455.4


def test_an_assumption_marks_all_that_rests_on_it():
    measured, assumed = Figure(3.0), Figure(2.0, assumed=True)
    for result in (measured * assumed, measured / assumed, assumed / measured, measured + assumed, 5 * assumed):
        assert result.assumed
        assert str(result).endswith("°")
    assert not (2 * measured / 3 + 1).assumed
    assert assumed.rounded_up().assumed
    assert Figure(2e12, True).in_bytes() == "2 TB °"


def test_digits():
    assert [two_digits(each) for each in (0, 0.0123, 1, 2.96, 9.99, 56.4, 1_234_567)] == [
        "0",
        "0.012",
        "1",
        "3",
        "10",
        "56",
        "1,200,000",
    ]


def test_every_rate_says_where_it_is_from(tmp_path):
    assert all(rate.value > 0 for rate in RATES.values())
    assert RATES["gpu_share"].assumed
    assert not RATES["index_add_core_s"].assumed
    written = json.loads(plan.RATES.read_text())
    assert all("date" in rate and "machine" in rate for rate in written.values() if "command" in rate)
    for wrong in ({"kind": "guessed", "source": "a feeling"}, {"kind": "measured"}):
        (tmp_path / "rates.json").write_text(json.dumps({"speed": {"value": 1.0, **wrong}}))
        with pytest.raises(
            ValueError, match="speed must be one of measured, counted, assumed, with its command or source"
        ):
            read_rates(tmp_path / "rates.json")


def test_tables_have_the_same_lines():
    made = plan.table(["what", "one", "two"], [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}])
    assert made.splitlines() == ["| what | one | two |", "|---|---|---|", "| a | 1 | 3 |", "| b | 2 | 4 |"]
