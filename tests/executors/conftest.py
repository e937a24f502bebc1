"""A cluster of Ray on loopback: two machines that are processes, two CPUs each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

MACHINE = {"num_cpus": 2, "node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000}


@pytest.fixture(scope="package")
def cluster() -> Iterator:
    """The first machine, on which the driver is; tests add others and take them away.

    It goes with the last of these tests: an idle cluster takes a tenth of a core and more.
    """
    from retrieval_vs_diffusion.executors.ray_cluster import disconnect, load_ray

    load_ray()
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**MACHINE, "include_dashboard": False})
    yield made
    disconnect()
    made.shutdown()


@pytest.fixture
def second_machine(cluster) -> Iterator:
    machine = cluster.add_node(**MACHINE)
    yield machine
    if machine in cluster.worker_nodes:
        cluster.remove_node(machine)
