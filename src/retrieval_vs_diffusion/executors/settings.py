"""How the executor on Ray uses a cluster; no result depends on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RaySettings(BaseModel):
    """Where the cluster is, and what of it is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # host:port of a cluster's head, or `auto` for the one that this machine belongs to; null starts one here.
    address: str | None = None
    cpus_per_actor: Annotated[float, Field(gt=0)] | None = None  # null: compute.threads, or fewer, so that no GPU idles
    gpus_per_actor: Annotated[float, Field(ge=0)] | None = None  # null for 1 where models run on a GPU, else 0
    most_actors: Annotated[int, Field(ge=1)] | None = None  # null for as many as leave one of all CPUs free
    object_store_gb: Annotated[float, Field(ge=0.1)] = 2.0  # of the cluster that is started here
