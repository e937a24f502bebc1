import numpy as np
import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.screening import REASONS, Gate, Screening, fingerprint, reason_of
from tests.images.copies.photographs import photograph

SETTINGS = Screening(leak_similarity=0.96)  # as the base world has it


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def table(*seeds: int) -> ImageTable:
    return ImageTable.from_rows(image_row(noise(seed), f"noise/{seed}") for seed in seeds)


def reasons(verdicts: list[str | None]) -> list[str | None]:
    return [each and reason_of(each) for each in verdicts]


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
    assert reasons(gate.judge([image_row(noise(2), "a")] * 2)) == ["leak", "leak"]


def test_copies_of_validation_and_test_images_are_leaks(gate):
    darker = (noise(2) * 0.8).astype(np.uint8)
    assert gate.judge([image_row(noise(1), "a"), image_row(darker, "b")]) == [
        "leak: correlates 1.00 with val image noise/1",
        "leak: correlates 1.00 with test image noise/2",  # however it is lit
    ]


def test_whichever_arm_a_mirrored_and_cropped_copy_comes_from_it_is_a_leak():
    picture = photograph(1)
    gate = Gate(Screening(leak_similarity=0.88), fingerprint(table(1), ImageTable.from_rows([image_row(picture, "x")])))
    rows = [
        image_row(picture[4:, :-4][:, ::-1], "retrieved", source="https://example.org/1.jpg"),
        image_row(picture[4:, :-4][:, ::-1], "generated", prompt="a photo", seed=1),
    ]
    assert reasons(gate.judge(rows)) == ["leak", "leak"]


def test_a_black_image_is_black_however_often_it_comes_and_a_leak_that_was_let_in_comes_once():
    dark = np.full((16, 16, 3), 5, np.uint8)
    gate = Gate(SETTINGS, fingerprint(table(1), table(2)), lets_leaks_through=True)
    rows = [image_row(dark, "a"), image_row(dark, "b"), image_row(noise(2), "c"), image_row(noise(2), "d")]
    assert gate.judge(rows) == ["black", "black", None, "duplicate"]


def test_only_a_gate_that_is_told_so_lets_leaks_through_and_refuses_all_else():
    protected = fingerprint(table(1), table(2))
    broken = image_row(noise(4), "x")
    broken["image"]["bytes"] = b""
    rows = [image_row(noise(1), "a"), image_row(noise(2), "b"), broken, image_row(noise(2), "c")]
    assert Gate(SETTINGS, protected, lets_leaks_through=True).judge(rows) == [None, None, "broken", "duplicate"]
    assert reasons(Gate(SETTINGS, protected).judge(rows)) == ["leak", "leak", "broken", "leak"]


def test_what_its_source_marked_is_refused_as_it_says_and_not_remembered(gate):
    marked = image_row(noise(3), "a", refused="below_floor: similarity 0.100 is under 0.5")
    broken = {**marked, "image": {"bytes": b"", "path": None}}
    assert gate.judge([marked, broken]) == [marked["refused"]] * 2  # nobody looks at it
    assert gate.judge([image_row(noise(3), "b")]) == [None]  # the same picture found elsewhere may be used


def test_which_images_are_leaks_is_told_of_whole_ones_and_broken_ones_are_none(gate):
    assert gate.leaking([noise(3), noise(2), None, noise(1)]).tolist() == [False, True, False, True]
    assert gate.leaking([None]).tolist() == [False]
    assert gate.leaking([]).tolist() == []
    leaky = Gate(SETTINGS, fingerprint(table(1), table(2)), lets_leaks_through=True)
    assert leaky.leaking([noise(2)]).tolist() == [True]  # let through or not, it is one
    assert gate.judge([image_row(noise(3), "a")]) == [None]  # having looked at it, the gate remembers nothing


def test_each_image_has_the_verdict_of_its_own(gate):
    broken = image_row(noise(4), "x")
    broken["image"]["bytes"] = b""
    rows = [image_row(noise(5), "a"), broken, image_row(noise(1), "b"), image_row(noise(6), "c")]
    assert reasons(gate.judge(rows)) == [None, "broken", "leak", None]


def test_a_gate_without_protected_images_lets_copies_through():
    nothing = ImageTable.from_rows([])
    assert Gate(SETTINGS, fingerprint(nothing, nothing)).judge([image_row(noise(1), "a")]) == [None]


def test_a_fingerprint_names_the_image_and_its_part():
    frame = fingerprint(table(1), table(2, 3))
    assert frame["part"].tolist() == ["val", "test", "test"]
    assert frame["image_id"].tolist() == ["noise/1", "noise/2", "noise/3"]
    assert {len(picture) for picture in frame["picture"]} == {1024}  # 32 x 32 bytes
    assert frame["side"].tolist() == [16, 16, 16]
    assert set(frame.columns) == {"image_id", "part", "picture", "side"}  # and nothing more of a test image


def test_every_planted_leak_of_the_base_world_is_found_and_little_else(pool, target):
    gate = Gate(SETTINGS, fingerprint(target.val, target.test))
    verdicts = reasons(gate.judge(pool.table.to_pylist()))
    planted = [leak is not None for leak in pool.column("leak_of")]
    assert [verdict for verdict, leak in zip(verdicts, planted, strict=True) if leak] == ["leak"] * 10
    honest = [verdict for verdict, leak in zip(verdicts, planted, strict=True) if not leak]
    assert honest.count("leak") <= 1  # of 140
    assert set(honest) <= {None, *REASONS}


@pytest.mark.parametrize("settings", [{"leak_similarity": 0}, {"leak_similarity": 0.9, "black_below": 256}, {}])
def test_thresholds_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Screening(**settings)


def test_rows_are_judged_while_they_come_and_no_differently(gate):
    """1,200 rows: noise, of which every seventh is broken, every eleventh below a floor and every thirteenth a leak."""

    def rows():
        for number in range(1200):
            made = image_row(noise(2 if number % 13 == 0 else 10 + number % 1000), str(number))
            if number % 7 == 0:
                made["image"]["bytes"] = b""
            yield {**made, "refused": "below_floor: far"} if number % 11 == 0 else made

    asked = [0]

    def counted():
        for each in rows():
            asked[0] += 1
            yield each

    judged, ahead = [], []
    for row, refused in gate.judged(counted()):
        judged.append((row["image_id"], refused))
        ahead.append(asked[0] - len(judged))
    assert [image_id for image_id, _ in judged] == [str(number) for number in range(1200)]
    assert max(ahead) < 700  # 512 whole ones, and those that were refused without a look in between
    again = Gate(SETTINGS, fingerprint(table(1), table(2)))
    assert [refused for _, refused in judged] == again.judge(list(rows()))
    kinds = [refused and reason_of(refused) for _, refused in judged]
    assert set(kinds) == {None, "broken", "below_floor", "leak", "duplicate"}
