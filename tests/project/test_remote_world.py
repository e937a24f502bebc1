"""A world whose target and pool lie in a bucket is read as from the disk, and again where an object has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.project_copy import copy_project
from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from tests.project.conftest import kedro
from tests.project.own_files import rendered_pool, write_photographs, write_shards
from tests.remote.s3_server import ENVIRONMENT

TABLES = ("target/reservoir", "target/val", "target/test", "pool/images")


@dataclass(frozen=True)
class Ingested:
    """A project that read target and pool.

    Args:
        project: its folder.
        parameters: of its command.
        said: what it printed.
    """

    project: Path
    parameters: str
    said: str

    def table(self, name: str):
        return ImageTableDataset(filepath=str(self.project / "data/own/02_intermediate" / name)).load().table


def ingest(project: Path, parameters: str) -> Ingested:
    ran = kedro(project, "run", "--env=own", "--pipeline=data_ingest", "--params", f"{parameters},workers=2")
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said[-3000:]
    return Ingested(project, parameters, said)


@pytest.fixture(scope="module")
def both(bucket, tmp_path_factory):
    """The same world from the disk and from a bucket."""
    root = tmp_path_factory.mktemp("remote")
    target, pool = write_photographs(root / "photos"), write_shards(root / "pool", rendered_pool(120), per_shard=60)
    addresses = [bucket.upload(place, place.name) for place in (target, pool)]
    return [
        ingest(copy_project(root / name / "project"), f"target.path={there},pool.path={pooled}")
        for name, (there, pooled) in {"near": (target, pool), "far": addresses}.items()
    ]


def test_the_tables_are_those_from_the_disk(both):
    for name in TABLES:
        near, far = (each.table(name) for each in both)
        assert len(near) > 5
        assert far.drop_columns("source").equals(near.drop_columns("source"))
    assert both[0].table("pool/images").equals(both[1].table("pool/images"))  # whose sources are URLs


def test_sources_are_addresses_and_neither_copies_nor_keys_are_shown(both, bucket):
    far = both[1]
    sources = far.table("target/val").column("source").to_pylist()
    assert all(source.startswith(f"{bucket.address('photos')}/") for source in sources)
    written = [file for file in (far.project / "data/own").rglob("*") if file.is_file()]
    shown = {str(file): file.read_bytes() for file in [*written, *far.project.glob("mlflow.db*")]}
    shown["what it printed"] = far.said.encode()
    for place, content in shown.items():
        for secret in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
            assert ENVIRONMENT[secret].encode() not in content, place
        assert b"01_raw/remote" not in content, place
    assert len(list((far.project / "data/01_raw/remote").glob("??/*"))) == 52  # 3 x 16 + 2 images and two tars


def test_what_holds_is_kept_and_a_changed_object_makes_its_steps_again(both, bucket):
    far = both[1]
    bucket.put("photos/zero/000.png", rendered_pool(121).row(120)["image"]["bytes"])
    again = ingest(far.project, far.parameters)
    assert "read_target (" in again.said
    assert "read_pool (" not in again.said


def test_a_bucket_that_is_not_there_is_one_line(both):
    far = both[1]
    parameters = far.parameters.replace("target.path=s3://", "target.path=s3://not-")
    ran = kedro(far.project, "run", "--env=own", "--pipeline=data_ingest", "--params", parameters)
    said = " ".join((ran.stdout + ran.stderr).split())
    assert ran.returncode == 1
    assert "there is no such bucket; name one that is there" in said
    assert "Traceback" not in said
