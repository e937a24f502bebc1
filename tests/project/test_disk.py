"""A disk that fills up or may not be written to is told in one line; where there is room again, the run goes on."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.project_copy import copy_project
from tests.project.conftest import kedro


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 400 kB, as far as this user may have one: it holds the test world's target, not its pool as well."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_no_disk_left_is_one_line_and_nothing_half_written(small_disk, tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "data/test").symlink_to(small_disk)
    command = (
        "run",
        "--env=test",
        "--pipeline=data_ingest",
        "--params",
        "workers=1",
    )  # the target first, then the pool
    ran = kedro(project, *command)
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("Error:")]
    assert "there is no space left on the disk" in line
    assert not list(small_disk.rglob("*.part"))
    assert not (small_disk / "02_intermediate/pool/images").exists()
    assert (small_disk / "02_intermediate/target/classes.json").exists()  # what was whole stays
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    again = kedro(project, *command)
    assert again.returncode == 0
    assert "read_target" not in again.stdout + again.stderr  # made before the disk was full, and kept
    assert (small_disk / "02_intermediate/pool/images/manifest.json").exists()


def test_a_folder_that_cannot_be_written_is_one_line(small_disk, tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "data/test").symlink_to(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ran = kedro(project, "run", "--env=test", "--pipeline=data_ingest")
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("Error:")]
    assert "cannot be written to (Read-only file system)" in line
    assert "Traceback" not in ran.stdout + ran.stderr
