"""What there is to track, told without MLflow: importing it takes seconds, and mostly nothing is new."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.execution.freshness import Freshness, read_record
from retrieval_vs_diffusion.pipelines import data_ingest
from retrieval_vs_diffusion.study import Study

# Within one comparison these may differ: which rows, how many repetitions, on which device, and what only
# says more about the same figures.
NOT_PROTOCOL = frozenset(
    {
        *("only", "strategies", "personalisations", "repetitions", "compute", "workers", "pretraining", "tune"),
        *("tracking", "decoded", "remote", "execution", "ray"),
        *("clip", "diffusion", "judge"),  # as the catalog describes them, see MODELS
        *("strategy", "export", "size_curve", "leak_comparison", "added_images", "plan", "price", "published"),
    }
)
DATA = {
    "target": ("target.classes", "target.reservoir", "target.val", "target.test"),
    "pool": ("pool.images",),
}
MODELS = ("clip", "diffusion")
_TABLES = ("leaderboard", "comparisons", "size_curve", "sets", "ledger", "costs", "classes", "leaks")
REPORTED = tuple(f"comparison.{name}" for name in (*_TABLES, "summary", "report"))


@dataclass(frozen=True)
class Compared:
    """What makes a comparison another one.

    Args:
        protocol: parameters that count for every row.
        redraw: what each repetition draws anew.
        models: how CLIP and the diffusion model are described in the catalog.
        data: a digest of what target and pool hold, by name.
    """

    protocol: Mapping[str, Any]
    redraw: tuple[str, ...]
    models: Mapping[str, Any]
    data: Mapping[str, str]

    @property
    def key(self) -> str:
        """Short name of the comparison."""
        return digest(self.protocol, self.redraw, self.models, self.data)[:8]

    @property
    def data_digest(self) -> str:
        """Short name of the data."""
        return digest(self.data)[:8]


def compared_by(study: Study, catalog: DataCatalog, project: Path) -> Compared | None:
    """The comparison that a study's rows belong to; None while its target and pool are not read."""
    data = _data_digests(study, catalog)
    if data is None:
        return None
    return Compared(
        protocol=study.parameters.model_dump(mode="json", exclude=set(NOT_PROTOCOL)),
        redraw=tuple(study.parameters.repetitions.redraw),
        models={name: _described(catalog.get(name), project) for name in MODELS},
        data=data,
    )


def _data_digests(study: Study, catalog: DataCatalog) -> dict[str, str] | None:
    # What another world's reader, or the same with other settings, left behind is not this study's data.
    freshness = Freshness(data_ingest.create_pipeline(study), catalog)
    digests = {}
    for name, artifacts in DATA.items():
        if name == "pool" and not study.has_pool:
            continue
        records = {artifact: freshness.record(artifact) for artifact in artifacts}
        if any(record is None or record["fingerprint"] != freshness.expected(it) for it, record in records.items()):
            return None
        digests[name] = digest([record["content"] for record in records.values() if record])
    return digests


def _described(dataset: Any, project: Path) -> dict[str, str]:
    """A model's place and settings; a project that is moved as a whole stays the same."""
    described = dataset._describe() if dataset is not None else {}
    return {key: str(value).removeprefix(f"{project}/") for key, value in described.items()}


def fingerprint(study: Study, strategy: str, repetition: int, catalog: DataCatalog) -> str:
    """What a repetition's figures were made of: its classifier's predictions, its measured images, the price."""
    made = [(read_record(catalog[name]) or {}).get("fingerprint") for name in _measured(study, strategy, repetition)]
    return digest(made, study.parameters.price.model_dump())[:12]


def is_collected(study: Study, strategy: str, catalog: DataCatalog) -> bool:
    """Whether a strategy's results are of its repetitions as they are now."""
    inputs = (read_record(catalog[f"{strategy}.results"]) or {}).get("inputs", {})
    return all(
        (read_record(catalog[name]) or {}).get("fingerprint") == inputs.get(name, "none")
        for repetition in study.repetitions
        for name in _measured(study, strategy, repetition)
    )


def _measured(study: Study, strategy: str, repetition: int) -> list[str]:
    made = [f"{strategy}.repetition_{repetition}.predictions"]
    if study.strategies[strategy].adds_images:
        made.append(f"{strategy}.{study.draw('added_images', repetition)}.set_quality")
    return made


def report_digest(catalog: DataCatalog) -> str:
    """What the reporting layer holds."""
    return digest([(read_record(catalog[name]) or {}).get("content") for name in REPORTED])


def state(compared: Compared, study: Study, strategies: Iterable[str], catalog: DataCatalog) -> str:
    """Everything that a run of some strategies would track, in a digest."""
    prints = {name: [fingerprint(study, name, each, catalog) for each in study.repetitions] for name in strategies}
    return digest(compared.key, prints, report_digest(catalog))


class Stamp:
    """Says which states are in the database, as long as nobody else wrote to it.

    Args:
        database: ``mlflow.db``; the stamp stands beside it.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file = database.with_name(database.name + ".tracked.json")

    def holds(self, tracked: str) -> bool:
        """Whether a state was tracked, and the database is as it was then."""
        return self._database.exists() and tracked in self._states()

    def add(self, tracked: str) -> None:
        """Remember that a state is tracked."""
        states = [*(each for each in self._states() if each != tracked), tracked]
        self._file.write_text(json.dumps({"database": self._written(), "states": states[-50:]}))

    def _states(self) -> list[str]:
        try:
            stamp = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return []
        return stamp["states"] if stamp["database"] == self._written() else []

    def _written(self) -> list[int]:
        stat = self._database.stat()
        return [stat.st_mtime_ns, stat.st_size]
