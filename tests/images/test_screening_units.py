"""Screening by units judges as screening while rows come does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executed_by
from retrieval_vs_diffusion.images import screening_units
from retrieval_vs_diffusion.images.copies.copy_index import CopyIndex
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.look import look_at
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint, reason_of
from retrieval_vs_diffusion.unfinished import kept_in

SETTINGS = Screening(leak_similarity=0.96)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def gate() -> Gate:
    """Protects noise 1 and 2."""
    protected = [ImageTable.from_rows([image_row(noise(seed), f"noise/{seed}")]) for seed in (1, 2)]
    return Gate(SETTINGS, fingerprint(*protected))


def rows(number: int) -> Iterator[dict[str, Any]]:
    """Noise that repeats; every seventh is broken, every eleventh below a floor, every thirteenth a leak."""
    for each in range(number):
        made = image_row(noise(2 if each % 13 == 0 else 10 + each % (number - 50)), str(each))
        if each % 7 == 0:
            made["image"]["bytes"] = b""
        if each % 19 == 0:
            made |= image_row(np.full((16, 16, 3), 9, np.uint8), str(each))
        yield {**made, "image": None, "refused": "dead: 404"} if each % 11 == 0 else made


class Elsewhere:
    """An executor that is not the local one, has units made as that does, and remembers what it was asked for."""

    def __init__(self):
        self.described = []

    def run(self, work, units, kept, description):
        self.described.append(description)
        yield from LocalExecutor().run(work, units, kept, description)


def judged(number: int) -> list[tuple[str, str | None]]:
    return [(row["image_id"], refused) for row, refused in gate().judged(rows(number))]


@pytest.fixture
def searched_together(monkeypatch) -> list[int]:
    """How many pictures each search of the protected ones was for."""
    numbers, plain = [], CopyIndex._nearest

    def counted(self, pictures):
        numbers.append(len(pictures))
        return plain(self, pictures)

    monkeypatch.setattr(CopyIndex, "_nearest", counted)
    return numbers


def test_each_row_is_judged_as_it_is_while_rows_come(searched_together, monkeypatch, tmp_path):
    monkeypatch.setattr(screening_units, "FEW", 0)
    monkeypatch.setattr(screening_units, "_BYTES_A_PORTION", 100_000)  # some hundred rows
    here = judged(1400)
    together = list(searched_together)
    assert together[:2] == [512, 512]
    assert len(together) == 3
    decoded = []
    monkeypatch.setattr(screening_units, "look_at", lambda data: decoded.append(data) or look_at(data))
    for _ in ("made", "kept"):
        with executed_by(Elsewhere()), kept_in(tmp_path / "step" / "f"):
            assert judged(1400) == here
    assert len(decoded) == 1400 - 128  # 0, 11, ..., 1397 are dead; and each once
    assert searched_together == 2 * together  # in the same groups, and once
    reasons = {reason and reason_of(reason) for _, reason in here}
    assert reasons == {None, "black", "broken", "dead", "duplicate", "leak"}
    assert not list((tmp_path / "step" / "f").glob("screened_*"))  # the rows' files


@pytest.mark.parametrize(("few", "asked"), [(60, 2), (61, 0)])
def test_few_rows_are_looked_at_here(few, asked, monkeypatch, tmp_path):
    monkeypatch.setattr(screening_units, "FEW", few)
    elsewhere = Elsewhere()
    with executed_by(elsewhere), kept_in(tmp_path / "step" / "f"):
        there = judged(60)
    assert there == judged(60)
    assert len(elsewhere.described) == asked  # looking and comparing


def test_where_nothing_is_kept_and_where_there_are_no_rows(tmp_path):
    elsewhere = Elsewhere()
    with executed_by(elsewhere):
        there = judged(60)
        with kept_in(tmp_path / "step" / "f"):
            assert list(gate().judged([])) == []
    assert there == judged(60)
    assert not elsewhere.described


def test_rows_come_back_whole(tmp_path):
    given = list(rows(60))
    with executed_by(Elsewhere()), kept_in(tmp_path / "step" / "f"):
        back = ImageTable.from_rows(row for row, _ in gate().judged(given))
    assert back.table.equals(ImageTable.from_rows(given).table)
