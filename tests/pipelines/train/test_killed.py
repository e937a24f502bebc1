"""Trainings whose processes are really killed: others, of another number, go on, and the cost is that of all."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.json import JSONDataset

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.claims import Claims
from retrieval_vs_diffusion.execution.freshness import Freshness
from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter
from retrieval_vs_diffusion.pipelines import train
from retrieval_vs_diffusion.pipelines.train.cost import TrainingCost, metered_training
from retrieval_vs_diffusion.training import several_processes
from retrieval_vs_diffusion.unfinished import Section, UnfinishedWork, kept_in, unfinished
from tests.pipelines.train.test_pipeline import study_with
from tests.training.test_several_processes import NAMES, RECIPE, noisy


@dataclass
class Run:
    """The step of a training as a run of the project has it, with so many processes."""

    folder: Path
    processes: int

    def __post_init__(self) -> None:
        compute = {"device": "cpu", "threads": 1, "processes": self.processes}
        whole = train.create_pipeline(study_with(compute=compute, row={}))
        (self._node,) = whole.nodes
        self._given = {"classifier": RECIPE.model_dump(), "compute": compute}
        made = {name: JSONDataset(filepath=str(self.folder / f"{name}.json")) for name in whole.all_outputs()}
        given = {f"params:{name}": MemoryDataset(value) for name, value in self._given.items()}
        freshness = Freshness(whole, DataCatalog({**made, **given}))
        self.fingerprint = freshness.fingerprint(self._node)
        self.unfinished = Claims(freshness).unfinished_folder(self._node)

    def train(self) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
        with kept_in(self.unfinished):
            return self._node.func(
                reservoir=noisy([0, 1] * 20, 1),
                originals_per_class=[20, 20],
                val=noisy([0, 1] * 15, 3),
                class_names=list(NAMES),
                recipe=self._given["classifier"],
                compute=self._given["compute"],
            )


class KilledOnceItKept(Section):
    """Ends its process, as the system does for want of memory, when a state is kept."""

    def keep(self, unit, write):
        super().keep(unit, write)
        os.kill(os.getpid(), signal.SIGKILL)


def killed_section(work: UnfinishedWork, name: str) -> Section:
    return KilledOnceItKept(work._folder / f"{name}_0", work._write_spent)


def train_and_be_killed(folder: Path) -> None:
    """In a process of its own."""
    UnfinishedWork.section = killed_section
    Run(folder, 1).train()


@dataclass
class Trained:
    undisturbed: Any
    classifier: Any
    history: pd.DataFrame
    cost: Cost
    spent: list[Cost]  # as it stood beside the state after each kill
    seconds: list[float]  # on the clock, of each run
    shown: list[int]  # how many steps two processes had before them
    steps: int  # that the last run made


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    """One process is killed at its first look, of two one at the next, and one goes on from there to the end."""
    folder, spent, seconds, shown, steps = tmp_path_factory.mktemp("killed"), [], [], [], []

    def progress(each, description, total):
        shown.append(total)
        yield from each

    def note(started: float, processes: int) -> None:
        seconds.append(time.perf_counter() - started)
        spent.append(Cost.from_dict(UnfinishedWork(Run(folder, processes).unfinished).spent_before))

    started = time.perf_counter()
    alone = multiprocessing.get_context("spawn").Process(target=train_and_be_killed, args=(folder,))
    alone.start()
    alone.join()
    assert alone.exitcode == -signal.SIGKILL
    note(started, 1)
    started = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnfinishedWork, "section", killed_section)
        patch.setattr(several_processes, "progress", progress)
        with pytest.raises(UserError, match=r"goes on from here, with a lower compute\.processes"):
            Run(folder, 2).train()
    note(started, 2)
    step_of = torch.optim.AdamW.step
    started = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", lambda self, *a: (steps.append(1), step_of(self, *a))[1])
        classifier, history, record = Run(folder, 1).train()
    seconds.append(time.perf_counter() - started)
    undisturbed, _, _ = Run(tmp_path_factory.mktemp("undisturbed"), 1).train()
    cost = Cost.from_dict(record["cost"])
    return Trained(undisturbed, classifier, history, cost, spent, seconds, shown, len(steps))


def test_another_number_of_processes_is_another_result_and_goes_on_from_the_same_state(tmp_path):
    one, two, all_of_them = (Run(tmp_path, processes) for processes in (1, 2, 0))
    assert len({one.fingerprint, two.fingerprint, all_of_them.fingerprint}) == 3
    assert one.unfinished == two.unfinished == all_of_them.unfinished


def test_whoever_goes_on_begins_after_the_last_look(trained):
    assert trained.history["step"].tolist() == [5, 10, 15, 20, 25, 30]
    assert trained.shown == [25]  # two processes, after the look at step 5 of one
    assert trained.steps == 20  # one process, after the look at step 10 of two


def test_what_is_learned_is_what_one_process_learns_but_for_rounding(trained):
    one, other = (each.network.state_dict() for each in (trained.undisturbed, trained.classifier))
    weights = [name for name, _ in trained.undisturbed.network.named_parameters()]
    assert max(float((one[name] - other[name]).abs().max()) for name in weights) < 0.00001


def test_the_cost_is_that_of_all_runs(trained):
    """Each adds to what the one before had written with its state, and no more than it took on the clock."""
    looks, (first, second), (_, second_took, last_took) = trained.history["seconds"], trained.spent, trained.seconds
    assert first.seconds >= looks[0]
    assert first.seconds + looks[1] - looks[0] <= second.seconds <= first.seconds + second_took
    assert second.seconds + looks[5] - looks[1] <= trained.cost.seconds <= second.seconds + last_took
    assert trained.cost.seconds >= looks[5]
    assert trained.cost.gpu_seconds == 0


def meter_of(seconds: float, peak: int) -> Any:
    cost = Cost(seconds, seconds, peak)
    return SimpleNamespace(so_far=lambda: cost, cost=lambda: cost)


def test_each_run_counts_the_gpus_of_its_own_processes():
    nine_hours_of_four = TrainingCost(Cost(), meter_of(9 * 3600.0, 700), processes=4).so_far()
    assert nine_hours_of_four == Cost(9 * 3600.0, 4 * 9 * 3600.0, 700).to_dict()
    # The process that waits for two others has given out 5 bytes, the first of them 900; then 300.
    on_two = TrainingCost(Cost.from_dict(nine_hours_of_four), meter_of(3600.0, 5), processes=2)
    assert on_two.in_all(900) == Cost(10 * 3600.0, (4 * 9 + 2 * 1) * 3600.0, 900)
    assert on_two.in_all(300).peak_memory_bytes == 700
    on_one = TrainingCost(Cost.from_dict(nine_hours_of_four), meter_of(3600.0, 800), processes=1)
    assert on_one.in_all(None) == Cost(10 * 3600.0, (4 * 9 + 1) * 3600.0, 800)


def test_another_process_measures_with_the_same_clock(tmp_path):
    with kept_in(tmp_path / "step" / "f"), metered_training(torch.device("cpu"), 2) as cost:
        section = pickle.loads(pickle.dumps(unfinished().section("classifier")))
        time.sleep(0.02)
        section.keep("checkpoint", lambda path: path.write_text("a look"))
        kept = UnfinishedWork(tmp_path / "step" / "f").spent_before["seconds"]
    assert isinstance(cost.meter, CostMeter)
    assert 0.02 <= kept <= cost.in_all(None).seconds
