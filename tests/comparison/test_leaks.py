import numpy as np
import pytest

from retrieval_vs_diffusion.comparison import leaks
from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.leaks import COLUMNS, check_planted_leaks, count_leaks, leak_table
from retrieval_vs_diffusion.comparison.outcomes import paired
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from tests.comparison.answers import outcomes, table

SCREENING = Screening(leak_similarity=0.93)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def images(*seeds: int | None, leak_of: dict[int, str] | None = None) -> ImageTable:
    """Pictures by seed; None is a file that is broken."""
    rows = []
    for number, seed in enumerate(seeds):
        row = image_row(noise(seed or 0), f"pool/{number}", leak_of=(leak_of or {}).get(number))
        rows.append(row if seed is not None else {**row, "image": {"bytes": b"broken", "path": None}})
    return ImageTable.from_rows(rows)


@pytest.fixture(params=[2, 2_000])
def at_once(request, monkeypatch):
    """However many images are decoded together."""
    monkeypatch.setattr(leaks, "_AT_ONCE", request.param)


PROTECTED = fingerprint(images(98), images(99))  # validation and test


@pytest.mark.usefixtures("at_once")
def test_planted_leaks_that_are_found_are_told_and_false_alarms_too():
    # Planted: 99, and 5, which is no copy of anything. Found: 99 and 98, which nobody planted.
    pool = images(1, 99, 5, 98, None, leak_of={1: "99", 2: "97"})
    assert check_planted_leaks(pool, PROTECTED, SCREENING) == {
        "planted": 2,
        "found": 1,
        "recall": 0.5,
        "others": 3,
        "false_alarms": 1,
    }


def test_of_a_pool_without_planted_leaks_nothing_is_claimed():
    found = check_planted_leaks(images(1, 99), PROTECTED, SCREENING)
    assert found == {"planted": 0, "found": None, "recall": None, "others": None, "false_alarms": None}


@pytest.mark.usefixtures("at_once")
def test_leaks_that_were_let_in_are_counted_whatever_the_gate_lets_through():
    for lets_through in (False, True):
        gate = Gate(SCREENING, PROTECTED, lets_leaks_through=lets_through)
        assert count_leaks(images(98, 1, 99, None, 99), gate) == 3
        assert count_leaks(images(), gate) == 0


def with_leaks(right: str, let_in: list[int]):
    made = table(outcomes(right))
    return made.assign(variant="leaky", leaks_let_in=made["repetition"].map(dict(enumerate(let_in))))


def test_a_row_is_compared_with_itself_without_leaks():
    leaky, honest = "1111 1110 1101", "1100 1010 1001"
    found = leak_table({"text": with_leaks(leaky, [3, 4, 8])}, {"text": table(outcomes(honest))})
    assert found.columns.tolist() == list(COLUMNS)
    (row,) = found.to_dict("records")
    assert (row["strategy"], row["repetitions"]) == ("text", 3)
    assert row["leaks_let_in"] == 5  # (3 + 4 + 8) / 3
    assert (row["top1_with"], row["top1_without"]) == (10 / 12, 6 / 12)
    interval = crossed_interval(paired(outcomes(leaky), outcomes(honest)))
    assert (row["difference"], row["low"], row["high"]) == (interval.estimate, interval.low, interval.high)
    assert row["difference"] == pytest.approx(4 / 12)


def test_a_row_that_does_not_hold_is_left_out():
    leaky = {name: with_leaks("11 10", [1, 1]) for name in ("text", "image")}
    found = leak_table(leaky, {"text": None, "image": table(outcomes("10 10"))})
    assert found["strategy"].tolist() == ["image"]
    assert leak_table({}, {}).columns.tolist() == list(COLUMNS)
