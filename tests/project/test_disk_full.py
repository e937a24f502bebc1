"""A run whose disk fills up says so in one line, leaves nothing half-written, and goes on where there is room."""

from __future__ import annotations

import subprocess

import pytest

from tests.project.conftest import copy_project, kedro


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 300 kB, as far as this user may have one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_no_disk_left_is_one_line_and_nothing_half_written(small_disk, tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "data/test").symlink_to(small_disk)
    ran = kedro(project, "run", "--env=test", "--pipeline=data_ingest")
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("Error:")]
    assert "there is no space left on the disk" in line
    assert not list(small_disk.rglob("*.part"))
    assert not (small_disk / "02_intermediate/pool/images").exists()
    assert (small_disk / "02_intermediate/target/classes.json").exists()  # what was whole stays
