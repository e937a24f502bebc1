"""Units of unfinished work are found again by who asks in the same order, and by nobody else."""

from __future__ import annotations

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
