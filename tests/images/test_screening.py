import numpy as np
import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.screening import REASONS, Gate, Screening, fingerprint

SETTINGS = Screening(leak_similarity=0.93)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def table(*seeds: int) -> ImageTable:
    return ImageTable.from_rows(image_row(noise(seed), f"noise/{seed}") for seed in seeds)


@pytest.fixture
def gate() -> Gate:
    """A gate that protects noise 1 (val) and noise 2 (test)."""
    return Gate(SETTINGS, fingerprint(table(1), table(2)))


def test_an_image_like_no_other_passes(gate):
    assert gate.judge([image_row(noise(3), "a")]) == [None]


@pytest.mark.parametrize("data", [b"", b"<html>", None])
def test_broken_bytes_are_refused(gate, data):
    row = image_row(noise(3), "a")
    row["image"]["bytes"] = row["image"]["bytes"][:60] if data is None else data
    assert gate.judge([row]) == ["broken"]


def test_an_image_without_a_bright_pixel_is_black(gate):
    dark, dim = np.full((16, 16, 3), 9, np.uint8), np.full((16, 16, 3), 10, np.uint8)
    assert gate.judge([image_row(dark, "a"), image_row(dim, "b")]) == ["black", None]  # black is below 10


def test_the_second_of_two_equal_images_is_a_duplicate(gate):
    assert gate.judge([image_row(noise(3), "a"), image_row(noise(3), "b")]) == [None, "duplicate"]
    assert gate.judge([image_row(noise(3), "c")]) == ["duplicate"]  # it remembers from call to call


def test_what_was_refused_is_not_remembered_as_used(gate):
    assert gate.judge([image_row(noise(2), "a")] * 2) == ["leak", "leak"]


def test_copies_of_validation_and_test_images_are_leaks(gate):
    darker = (noise(2) * 0.8).astype(np.uint8)
    assert gate.judge([image_row(noise(1), "a"), image_row(darker, "b")]) == ["leak", "leak"]


def test_each_image_has_the_verdict_of_its_own(gate):
    broken = image_row(noise(4), "x")
    broken["image"]["bytes"] = b""
    rows = [image_row(noise(5), "a"), broken, image_row(noise(1), "b"), image_row(noise(6), "c")]
    assert gate.judge(rows) == [None, "broken", "leak", None]


def test_a_gate_without_protected_images_lets_copies_through():
    nothing = ImageTable.from_rows([])
    assert Gate(SETTINGS, fingerprint(nothing, nothing)).judge([image_row(noise(1), "a")]) == [None]


def test_a_fingerprint_names_the_image_and_its_part():
    frame = fingerprint(table(1), table(2, 3))
    assert frame["part"].tolist() == ["val", "test", "test"]
    assert frame["image_id"].tolist() == ["noise/1", "noise/2", "noise/3"]
    assert {len(thumbnail) for thumbnail in frame["thumbnail"]} == {256}  # 16 x 16 bytes


def test_every_planted_leak_of_the_base_world_is_found_and_little_else(pool, target):
    gate = Gate(SETTINGS, fingerprint(target.val, target.test))
    verdicts = gate.judge(pool.table.to_pylist())
    planted = [leak is not None for leak in pool.column("leak_of")]
    assert [verdict for verdict, leak in zip(verdicts, planted, strict=True) if leak] == ["leak"] * 10
    honest = [verdict for verdict, leak in zip(verdicts, planted, strict=True) if not leak]
    assert honest.count("leak") <= 3  # of 140
    assert set(honest) <= {None, *REASONS}


@pytest.mark.parametrize("settings", [{"leak_similarity": 0}, {"leak_similarity": 0.9, "black_below": 256}, {}])
def test_thresholds_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Screening(**settings)
