"""Worker processes on a pipeline of a few nodes; a step that fails takes with it what needs it alone."""

import logging
import multiprocessing
import socket
import time

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution import workers
from retrieval_vs_diffusion.execution.claims import Claims
from retrieval_vs_diffusion.execution.freshness import Freshness
from retrieval_vs_diffusion.execution.workers import needing, number_of_workers, run_side_by_side


class TwoArgumentsError(Exception):
    """An error that pickle cannot make again from its message."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class Plain:
    """What the failing steps raise."""

    user = UserError("shelf: there is nothing; put something there")
    plain = ValueError("three is too many")
    unreadable = TwoArgumentsError(1, 2)


def give() -> int:
    return 1


def add_one(number: int) -> int:
    return number + 1


def fail(kind: str):
    def failing(number: int) -> int:
        raise getattr(Plain, kind)

    return failing


def fail_below(number: int) -> int:
    try:
        raise Plain.user
    except UserError as error:
        raise RuntimeError("a dataset wraps what went wrong") from error


def pipeline(failing) -> Pipeline:
    r"""Give -> good -> better; give -> bad -> worse -> worst; both -> last.

    What lies behind bad cannot be made.
    """
    return Pipeline(
        [
            Node(give, None, "start", name="give"),
            Node(add_one, "start", "good", name="good"),
            Node(add_one, "good", "better", name="better"),
            Node(failing, "start", "bad", name="bad"),
            Node(add_one, "bad", "worse", name="worse"),
            Node(add_one, "worse", "worst", name="worst"),
            Node(lambda good, bad: good + bad, ["better", "bad"], "last", name="last"),
        ]
    )


@pytest.fixture
def run(tmp_path):
    def run(failing, number: int = 2, seen=lambda name: None) -> dict:
        steps = pipeline(failing)
        datasets = {name: JSONDataset(filepath=str(tmp_path / f"{name}.json")) for name in steps.all_outputs()}
        catalog = DataCatalog(datasets)
        freshness = Freshness(steps, catalog)
        claims = Claims(freshness)
        outcomes = {}
        for node, outcome in run_side_by_side(steps, catalog, number, claims):
            outcomes[node.name] = outcome
            seen(node.name)
            if not isinstance(outcome, Exception):  # as the runner does
                for output in node.outputs:
                    freshness.write_record(output, node, outcome)
        return outcomes

    return run


def test_every_node_is_run_with_the_seconds_it_took(run, tmp_path):
    outcomes = run(add_one)
    assert set(outcomes) == {"give", "good", "better", "bad", "worse", "worst", "last"}
    assert all(isinstance(seconds, float) and 0 <= seconds < 60 for seconds in outcomes.values())
    assert (tmp_path / "last.json").read_text() == "5"  # 1 + 1 + 1 and 1 + 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_does_not_need_a_failed_step_goes_on(run, tmp_path, number):
    outcomes = run(fail("user"), number)
    assert set(outcomes) == {"give", "good", "better", "bad"}  # worse, worst and last need bad
    assert isinstance(outcomes["bad"], UserError)
    assert (tmp_path / "better.json").read_text() == "3"


@pytest.mark.parametrize(
    ("failing", "kind", "message"),
    [
        (fail("user"), UserError, "shelf: there is nothing; put something there"),
        (fail_below, UserError, "shelf: there is nothing; put something there"),  # not what it was wrapped in
        (fail("plain"), ValueError, "three is too many"),
        (fail("unreadable"), RuntimeError, "TwoArgumentsError: 1 and 2"),
    ],
)
def test_an_error_comes_through_whatever_it_is(run, failing, kind, message):
    outcome = run(failing)["bad"]
    assert type(outcome) is kind
    assert str(outcome) == message


def test_a_worker_that_dies_is_no_riddle(run):
    def die(number: int) -> int:
        import os

        time.sleep(0.2)
        os._exit(9)  # as the kernel ends a process that takes too much memory

    with pytest.raises(UserError, match=r"a worker died while .* ran, perhaps for want of memory; lower `workers`"):
        run(die)


def test_a_worker_that_dies_between_two_steps_is_no_riddle_either(run):
    others = multiprocessing.active_children()

    def kill_workers(name: str) -> None:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.kill()
                worker.join()

    with pytest.raises(UserError, match=r"a worker died.*, perhaps for want of memory; lower `workers`"):
        run(add_one, seen=kill_workers)


def test_this_process_prints_every_line_that_workers_log(run, caplog):
    def talk(number: int) -> int:
        for each in range(300):
            logging.warning("line %d", each)
        logging.warning("long: %s", "of words, " * 100_000)  # a datagram holds less
        logging.warning("odd", extra={"cause": TwoArgumentsError(1, 2)})  # cannot be read here
        logging.warning("the last one")
        return number

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(1e-3)  # as a library may
    try:
        run(talk)
    finally:
        socket.setdefaulttimeout(before)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:300] == [f"line {each}" for each in range(300)]
    assert [line[:10] for line in lines[300:]] == ["long: of w", "the last o"]
    assert 10_000 < len(lines[300]) < 1_000_000
    assert lines[300].endswith(" ...")


def test_what_needs_a_step_is_all_that_comes_after_it():
    steps = pipeline(add_one)
    after = {node.name: {each.name for each in needing(steps, node)} for node in steps.nodes}
    assert after["bad"] == {"worse", "worst", "last"}
    assert after["good"] == {"better", "last"}
    assert after["last"] == set()
    assert len(after["give"]) == 6


def test_as_many_workers_as_cores_and_one_with_a_gpu(monkeypatch):
    monkeypatch.setattr(workers, "has_gpu", lambda: False)
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert (number_of_workers(0), number_of_workers(5)) == (3, 5)
    assert [number_of_workers(0, processes) for processes in (2, 3, 4)] == [1, 1, 1]  # each takes as many cores
    monkeypatch.setattr(workers, "has_gpu", lambda: True)
    assert (number_of_workers(0), number_of_workers(5)) == (1, 5)
