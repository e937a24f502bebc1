"""How growth is measured: exponents by hand, memory and disk that were really taken."""

import math

import numpy as np
import pytest

from benchmarks.growth.drawn_pictures import drawn, write_tars
from benchmarks.growth.exponents import at_the_end, fitted
from benchmarks.growth.plot import draw
from benchmarks.growth.series import all_series
from benchmarks.growth.watching import NotItsOwn, bytes_in, watch
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages


def test_exponents_by_hand():
    assert fitted([10, 100, 1000], [3, 30, 300]) == pytest.approx(1)
    assert fitted([1, 10, 100], [5, 5, 5]) == pytest.approx(0)
    # Ten times the size costs 10, then 100 times as much: slopes 1 and 2, and the line through all three 1.5.
    assert fitted([1, 10, 100], [1, 10, 1000]) == pytest.approx(1.5)
    assert at_the_end([1, 10, 100], [1, 10, 1000]) == pytest.approx(2)
    assert math.isnan(fitted([1, 10], [0, 5]))
    assert math.isnan(fitted([1], [5]))


def test_what_work_takes_is_seen(tmp_path):
    held = 64 * 2**20
    mapped = np.memmap(tmp_path / "before", np.uint8, "w+", shape=(held,))
    mapped[:] = 1
    mapped.flush()
    del mapped

    def hold() -> NotItsOwn:
        memory = np.ones(held, np.uint8)
        (tmp_path / "made").write_bytes(bytes(memory[:1000]))
        for _ in range(100):  # as long as a look at the memory needs
            memory += 1
        return NotItsOwn(seconds=1e6)

    seen = watch(hold, tmp_path)
    # Linux counts pages in lots: some hundred kilobytes may be missing.
    assert 0.95 * held <= seen.peak < 2 * held
    assert 0.95 * held <= seen.held < 2 * held
    assert seen.disk == 1000  # what was there before is not counted
    assert seen.seconds < -900_000  # a million seconds were said to be somebody else's

    def read() -> None:
        assert np.memmap(tmp_path / "before", np.uint8, "r").sum() == held

    seen = watch(read, tmp_path)
    assert 0.95 * held <= seen.peak < 2 * held  # its pages are resident
    assert seen.held < held / 4  # and the system can take them back


def test_drawn_pictures_differ_and_are_read_as_a_pool(tmp_path):
    first, again = (list(drawn(32, 5)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 5
    assert codec.decode(first[0]).shape == (32, 32, 3)
    write_tars(tmp_path / "tars", ((data, f"picture {number}") for number, data in enumerate(first)))
    rows = list(CaptionedImages(tmp_path / "tars").read())
    assert [row["caption"] for row in rows] == [f"picture {number}" for number in range(5)]
    assert bytes_in(tmp_path) > sum(map(len, first))


def test_every_step_of_every_series_is_drawn(tmp_path):
    series = all_series()
    rows = [
        {
            "series": each.name,
            "step": step,
            "size": size,
            "seconds": size,
            "peak_mb": 20.0,
            "held_mb": 0.0,
            "disk_mb": 0.1,
        }
        for each in series.values()
        for step in each.steps
        for size in each.sizes
    ]
    draw(rows, series, tmp_path / "images/growth.png")
    assert (tmp_path / "images/growth.png").read_bytes().startswith(b"\x89PNG")
