"""Units of unfinished work are found again by who asks in the same order, and by nobody else."""

from __future__ import annotations

import os

import pytest

from retrieval_vs_diffusion.unfinished import BrokenUnitError, kept_in, unfinished


def write(text: str):
    return lambda path: path.write_text(text)


def test_a_second_run_finds_what_the_first_kept(tmp_path):
    with kept_in(tmp_path / "step" / "f1"):
        unfinished().section("images").keep(3, write("whole"))
    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("images")
        assert section.find(3, lambda path: path.read_text()) == "whole"
        assert section.find(4, lambda path: path.read_text()) is None


def test_sections_of_one_name_are_told_apart_by_their_order(tmp_path):
    for _ in range(2):  # a run, and the run after it
        with kept_in(tmp_path / "step" / "f1"):
            first, second = unfinished().section("images"), unfinished().section("images")
            for section, text in ((first, "first"), (second, "second")):
                assert section.find(0, lambda path: path.read_text()) in (None, text)
                section.keep(0, write(text))
            assert first.find(0, lambda path: path.read_text()) == "first"


def test_units_of_another_fingerprint_are_removed(tmp_path):
    with kept_in(tmp_path / "step" / "f1"):
        unfinished().section("images").keep(0, write("old"))
    with kept_in(tmp_path / "step" / "f2"):
        assert unfinished().section("images").find(0, lambda path: path.read_text()) is None
    assert not (tmp_path / "step" / "f1").exists()


def test_a_unit_that_is_broken_is_as_if_it_were_not_there(tmp_path):
    def broken(path):
        raise BrokenUnitError("half")

    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("images")
        section.keep(0, write("half"))
        assert section.find(0, broken) is None


def test_a_unit_appears_when_it_is_whole(tmp_path):
    def interrupted(path):
        path.write_text("hal")
        raise KeyboardInterrupt

    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("images")
        with pytest.raises(KeyboardInterrupt):
            section.keep(0, interrupted)
        assert list((tmp_path / "step" / "f1").rglob("*")) == [tmp_path / "step" / "f1" / "images_0"]


def test_outside_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = unfinished().section("images")
    section.keep(0, write("lost"))
    assert not section.is_kept
    assert section.find(0, lambda path: path.read_text()) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" + data[1:], lambda data: b""])
def test_a_unit_that_was_damaged_is_as_if_it_were_not_there(tmp_path, damage):
    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("images")
        section.keep(0, write("whole"))
        (unit,) = (tmp_path / "step" / "f1" / "images_0").iterdir()
        unit.write_bytes(damage(unit.read_bytes()))
        assert section.find(0, lambda path: path.read_text()) is None
        section.keep(0, write("whole"))
        assert section.find(0, lambda path: path.read_text()) == "whole"


def test_a_unit_takes_the_place_of_an_earlier_one(tmp_path):
    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("training")
        for text in ("first look", "second look"):
            section.keep("checkpoint", write(text))
        assert section.find("checkpoint", lambda path: path.read_text()) == "second look"
        assert len(list((tmp_path / "step" / "f1" / "training_0").iterdir())) == 1


def test_of_two_that_a_killed_process_left_the_newest_that_is_whole_counts(tmp_path):
    with kept_in(tmp_path / "step" / "f1"):
        section = unfinished().section("training")
        section.keep("checkpoint", write("first look"))
        (first,) = (tmp_path / "step" / "f1" / "training_0").iterdir()
        data = first.read_bytes()
        section.keep("checkpoint", write("second look"))
        first.write_bytes(data)
        os.utime(first, (1, 1))
        assert section.find("checkpoint", lambda path: path.read_text()) == "second look"


def test_no_folder_holds_more_than_a_thousand_numbered_units(tmp_path):
    with kept_in(tmp_path):
        section = unfinished().section("images")
        numbers = (0, 999, 1_000, 1_999, 123_456)
        for number in numbers:
            section.keep(number, write(f"the {number}th"))
        found = sorted(path.relative_to(section.folder) for path in section.folder.rglob("*") if path.is_file())
        assert [path.with_suffix("").as_posix() for path in found] == [
            "000000", "000999", "123k/123456", "1k/001000", "1k/001999",
        ]  # fmt: skip
        assert [section.find(number, lambda path: path.read_text()) for number in numbers] == [
            f"the {number}th" for number in numbers
        ]
        section.forget([1_000])
        assert section.find(1_000, lambda path: path.read_text()) is None


def test_what_a_killed_run_needed_for_a_while_is_gone_and_its_units_stay(tmp_path):
    for kept_before in (None, "whole"):
        with kept_in(tmp_path / "step" / "f1"):
            scratch = unfinished().scratch()
            assert list(scratch.iterdir()) == []
            (scratch / "rows_of_a_killed_run").mkdir()
            section = unfinished().section("images")
            assert section.find(0, lambda path: path.read_text()) == kept_before
            section.keep(0, write("whole"))


def test_a_unit_that_another_process_clears_meanwhile_is_not_there(tmp_path):
    def cleared(path):
        path.unlink()
        return path.read_text()

    with kept_in(tmp_path):
        section = unfinished().section("images")
        section.keep(0, write("whole"))
        assert section.find(0, cleared) is None
