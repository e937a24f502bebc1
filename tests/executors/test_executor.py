"""Units are made in their order, and never twice."""

from __future__ import annotations

from itertools import islice

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executed_by, executor
from retrieval_vs_diffusion.unfinished import Section
from tests.executors.light_work import Squares, squares, units_of


def test_what_is_kept_is_not_made_again_wherever_it_stands(tmp_path):
    work, kept = Squares(tmp_path / "log"), Section(tmp_path / "units")
    for wanted in ([1], [4, 5]):
        list(LocalExecutor().run(work, [unit for unit in units_of(7) if unit.number in wanted], kept, "squaring"))
    assert list(LocalExecutor().run(work, units_of(7), kept, "squaring")) == squares(7)
    assert work.tries() == [1, 4, 5, 0, 2, 3, 6]


def test_a_run_that_ended_early_goes_on_after_the_last_unit(tmp_path):
    work, kept = Squares(tmp_path / "log"), Section(tmp_path / "units")
    begun = LocalExecutor().run(work, units_of(5), kept, "squaring")
    assert list(islice(begun, 2)) == squares(2)
    begun.close()
    assert list(LocalExecutor().run(work, units_of(5), kept, "squaring")) == squares(5)
    assert work.tries() == [0, 1, 2, 3, 4]


def test_where_nothing_is_kept_all_is_made(tmp_path):
    work = Squares(tmp_path / "log")
    for _ in range(2):
        assert list(LocalExecutor().run(work, units_of(3), Section(None), "squaring")) == squares(3)
    assert work.tries() == [0, 1, 2, 0, 1, 2]


def test_nothing_to_do_makes_nothing(tmp_path):
    assert list(LocalExecutor().run(Squares(tmp_path / "log"), [], Section(tmp_path / "units"), "squaring")) == []


def test_the_work_inside_is_executed_by_what_was_chosen():
    before, chosen = executor(), LocalExecutor()
    with executed_by(chosen):
        assert executor() is chosen
    assert executor() is before
