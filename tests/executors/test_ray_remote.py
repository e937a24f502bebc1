"""Actors reach object stores as the run that sends them its units does."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path

import pytest

from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.remote.settings import Remote, use
from retrieval_vs_diffusion.unfinished import Section
from tests.remote.s3_server import new_bucket, s3_server

pytestmark = pytest.mark.ray


class Reading(Work[bytes]):
    """Reads the file whose address a unit takes."""

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[bytes, None, None]:
        for unit in units:
            content = as_path(unit.takes).read_bytes()
            kept.keep(unit.number, lambda path, content=content: path.write_bytes(content))
            yield content

    def read(self, path: Path, unit: Unit) -> bytes:
        del unit
        return path.read_bytes()


def test_actors_know_the_server_and_the_cache_that_the_parameters_name(cluster, tmp_path):
    with s3_server() as endpoint:
        bucket = new_bucket(endpoint)
        bucket.client.put_bucket_acl(Bucket=bucket.name, ACL="public-read")
        bucket.client.put_object(Bucket=bucket.name, Key="shard", Body=b"seen from an actor", ACL="public-read")
        # Without credentials, so that nothing but these settings leads there.
        settings = Remote(endpoint_url=endpoint, anonymous=True, folder="copies")
        unit = Unit(0, "", bucket.address("shard"))
        executor = RayExecutor(RaySettings(), cluster.address, set_up=partial(use, settings, tmp_path))
        assert list(executor.run(Reading(), [unit], Section(tmp_path / "units"), "reading")) == [b"seen from an actor"]
    (copy,) = (tmp_path / "copies").glob("??/*")
    assert copy.read_bytes() == b"seen from an actor"
