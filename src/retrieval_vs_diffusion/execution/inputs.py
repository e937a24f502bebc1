"""What a run starts from is looked at before its first step, which may be hours before the step that needs it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.freshness import Freshness, is_optional

_STAGES = ("data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate", "pretrain")


@runtime_checkable
class Checked(Protocol):
    """A dataset of what a user brings that knows what will not do."""

    def check(self) -> None:
        """Refuse what will not do, in a moment and without loading torch.

        Raises:
            UserError: saying what will.
        """


def check_inputs(pipeline: Pipeline, catalog: DataCatalog, freshness: Freshness) -> dict[str, Any]:
    """Check all that a pipeline starts from; an optional input that is absent becomes None in the catalog.

    Args:
        pipeline: the steps that will run.
        catalog: of the run; changed.
        freshness: of the catalog; told what is absent.

    Returns:
        The datasets that were replaced in the catalog, by name.

    Raises:
        UserError: if something is missing, does not hold, or will not do.
    """
    replaced: dict[str, Any] = {}
    # The first stage that is missing is told.
    for name in sorted(pipeline.inputs(), key=lambda name: _stage_of(name, freshness)):
        if name.startswith("params:") or name == "parameters":
            continue
        dataset, maker = catalog.get(name), freshness.maker(name)
        if freshness.holds(name):
            if maker is None and isinstance(dataset, Checked):
                dataset.check()
        elif is_optional(dataset):
            freshness.take_as_absent(name)
            replaced[name] = dataset
            catalog[name] = MemoryDataset(None, metadata={"required": False})
        elif maker is None:
            raise UserError(f"{name}: nothing is at {getattr(dataset, '_filepath', 'its place')}; put it there")
        else:
            changed = freshness.changed_inputs(name)
            state = f"was made with another {', '.join(changed)}" if changed else "is not there, or damaged"
            stage = _STAGES[_stage_of(name, freshness)]
            raise UserError(
                f"{name} {state}; run `kedro run --pipeline={stage}` first, or plain `kedro run` for everything"
            )
    return replaced


def _stage_of(name: str, freshness: Freshness) -> int:
    """Position of the stage that makes an artifact; -1 for what no stage makes."""
    maker = freshness.maker(name)
    return next((number for number, stage in enumerate(_STAGES) if maker and stage in maker.tags), -1)
