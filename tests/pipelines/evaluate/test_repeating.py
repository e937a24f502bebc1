"""What a table was made with: versions, and the commit where there is one."""

from __future__ import annotations

import subprocess

import pytest

from retrieval_vs_diffusion import __version__
from retrieval_vs_diffusion.pipelines.evaluate import repeating
from retrieval_vs_diffusion.pipelines.evaluate.repeating import commit_of, digest_results, made_with

NO_COMMIT = {"commit": None, "uncommitted_changes": None}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one committed file, and how to call git in it."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("one = 1\n")
    git("add", "code.py")
    git("commit", "-q", "-m", "first")
    return tmp_path / "code.py", git


def test_the_commit_of_a_checkout_is_told_and_whether_something_is_not_committed(checkout):
    file, git = checkout
    head = git("rev-parse", "HEAD")
    assert commit_of(file) == {"commit": head, "uncommitted_changes": False}
    (file.parent / "data.bin").write_bytes(b"not tracked, as data are")
    assert commit_of(file) == {"commit": head, "uncommitted_changes": False}
    file.write_text("one = 2\n")
    assert commit_of(file) == {"commit": head, "uncommitted_changes": True}


def test_a_checkout_that_only_lies_around_the_code_is_not_its_own(checkout):
    file, _ = checkout
    (file.parent / "unpacked.py").write_text("")
    assert commit_of(file.with_name("unpacked.py")) == NO_COMMIT


def test_without_a_checkout_or_without_git_nothing_is_told(checkout, tmp_path_factory, monkeypatch):
    alone = tmp_path_factory.mktemp("alone") / "code.py"
    alone.write_text("")
    assert commit_of(alone) == NO_COMMIT
    monkeypatch.setenv("PATH", str(alone.parent))  # no git there
    assert commit_of(checkout[0]) == NO_COMMIT


def test_versions_and_device_are_told_as_they_count(monkeypatch):
    monkeypatch.setattr(repeating, "device_found", lambda: "cuda")
    made = made_with({"device": "auto", "threads": 3})
    assert (made["version"], made["device"], made["threads"]) == (__version__, "cuda", 3)
    assert (made["processes"], made_with({"processes": 2})["processes"]) == (1, 2)
    assert made_with({"device": "cpu", "threads": 1})["device"] == "cpu"
    assert {"torch", "numpy", "diffusers"} <= made["libraries"].keys()
    assert made["processor"]


def test_rows_that_do_not_hold_are_no_part_of_the_digest():
    row = {"repetitions": [{"repetition": 0, "top1": 0.5, "digest": {"images": None, "predictions": "abc"}}]}
    compute = {"device": "cpu", "threads": 1}
    made = digest_results(compute, None, results_of_original_only=row, results_of_text=None)
    assert set(made["rows"]) == {"original_only"}
    assert made["digest"] == digest_results(compute, results_of_original_only=row)["digest"]
