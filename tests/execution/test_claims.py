"""Steps are claimed before they are made, looked at again, and given back."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.artifact_lock import ArtifactLock
from retrieval_vs_diffusion.execution.claims import Claim, Claims
from retrieval_vs_diffusion.execution.freshness import Freshness

_HOLDER = """
import sys
from pathlib import Path
from retrieval_vs_diffusion.execution.artifact_lock import ArtifactLock
lock = ArtifactLock(Path(sys.argv[1]))
print(lock.take("theirs"), flush=True)
sys.stdin.readline()
"""


def one() -> int:
    return 1


def double(number: int) -> int:
    return 2 * number


STEPS = Pipeline(
    [
        Node(one, None, "one", name="make_one"),
        Node(double, "one", "two", name="make_two"),
    ]
)


class Run:
    """A run of the steps in a folder, as far as claims go."""

    def __init__(self, folder) -> None:
        names = STEPS.all_outputs()
        self.catalog = DataCatalog({name: JSONDataset(filepath=str(folder / f"{name}.json")) for name in names})
        self.freshness = Freshness(STEPS, self.catalog)
        self.node = {node.name.split(".")[-1]: node for node in STEPS.nodes}
        self.claims = Claims(self.freshness)

    def make(self, name: str, value: int) -> None:
        node = self.node[name]
        (output,) = node.outputs
        self.catalog[output].save(value)
        self.freshness.write_record(output, node, 0.0)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.fixture
def elsewhere(tmp_path):
    """Lets another process hold the lock of an artifact until the function that it gives is called."""
    held = []

    def hold(name: str):
        command = [sys.executable, "-c", _HOLDER, str(tmp_path / name)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline().strip() == "True"
        held.append(other)

        def end() -> None:
            other.stdin.close()
            other.wait()

        return end

    yield hold
    for other in held:
        other.kill()
        other.wait()


def test_a_step_is_this_runs_while_nobody_else_makes_it(run, tmp_path):
    assert run.claims.ask(run.node["make_one"]) is Claim.MINE
    assert (tmp_path / ".one.json.lock").exists()
    run.claims.release(run.node["make_one"])
    assert not (tmp_path / ".one.json.lock").exists()


def test_who_comes_second_waits_and_takes_what_was_made(run, tmp_path, elsewhere, caplog):
    end = elsewhere("one.json")
    with caplog.at_level("INFO"):
        assert run.claims.ask(run.node["make_one"]) is Claim.TAKEN
        assert run.claims.ask(run.node["make_one"]) is Claim.TAKEN
    (line,) = caplog.messages  # told once
    assert "make_one waits for another run" in line
    assert line.endswith(": theirs")
    Run(tmp_path).make("make_one", 1)  # by the other
    threading.Timer(0.2, end).start()
    assert run.claims.wait(run.node["make_one"]) is Claim.MADE
    assert not (tmp_path / ".one.json.lock").exists()


def test_who_waits_for_one_that_fails_makes_it(run, elsewhere):
    end = elsewhere("one.json")
    assert run.claims.ask(run.node["make_one"]) is Claim.TAKEN
    end()
    assert run.claims.ask(run.node["make_one"]) is Claim.MINE


def test_a_step_whose_input_another_run_made_of_something_else_is_refused(run, tmp_path):
    run.make("make_one", 1)
    record = tmp_path / "one.json.made.json"
    record.write_text(record.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(UserError, match="one was made anew by another run with other parameters"):
        run.claims.ask(run.node["make_two"])
    assert not list(record.parent.glob(".*.lock"))


def test_what_killed_runs_left_half_written_is_cleared_by_who_makes_it(run, tmp_path):
    for name in (".one.json.17.part", ".two.json.17.part"):
        (tmp_path / name).write_text("half")
    run.claims.ask(run.node["make_one"])
    assert [path.name for path in tmp_path.glob("*.part")] == [".two.json.17.part"]


def test_units_go_when_the_step_is_done_and_when_it_holds_already(run, tmp_path):
    folder = run.claims.unfinished_folder(run.node["make_one"])
    assert folder.parent == tmp_path / ".one.json.unfinished"
    (folder / "part_0").mkdir(parents=True)
    run.claims.done(run.node["make_one"])
    assert not folder.parent.exists()
    (folder / "part_0").mkdir(parents=True)  # killed after the record was written
    (tmp_path / ".one.json.lock").write_text("{}")
    run.claims.clear([run.node["make_one"]])
    assert list(tmp_path.iterdir()) == []


def test_closing_gives_everything_back(run, tmp_path):
    run.claims.ask(run.node["make_one"])
    run.claims.close()
    assert not list(tmp_path.glob(".*.lock"))
    assert ArtifactLock(tmp_path / "one.json").take("anyone")
