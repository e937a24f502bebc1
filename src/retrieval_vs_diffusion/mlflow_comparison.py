"""One comparison in MLflow: its parent run, and a child for each strategy and repetition."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from retrieval_vs_diffusion.comparison.ledger import totals
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.execution.freshness import path_of, read_record
from retrieval_vs_diffusion.images.contact_sheet import contact_sheet, spread_over_classes
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.tracking import EXPERIMENT

logger = logging.getLogger(__name__)
# Under one protocol these may differ: which strategies, how many repetitions, on which device.
_NOT_PROTOCOL = {
    "only",
    "strategies",
    "personalisations",
    "repetitions",
    "compute",
    "workers",
    "pretraining",
    "tune",
    "strategy",
    "export",
}


def open_experiment(project: Path) -> tuple[MlflowClient, str]:
    """A client of the project's ``mlflow.db``, and the experiment's id; made where it is not there."""
    client = MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return client, experiment.experiment_id
    kind = {"mlflow.experimentKind": "custom_model_development"}  # runs come first in the UI, not traces
    return client, client.create_experiment(EXPERIMENT, (project / "mlartifacts").as_uri(), kind)


class MlflowComparison:
    """Runs in the project's ``mlflow.db``.

    Args:
        project: the project's folder.
        study: strategies, repetitions and protocol.
    """

    def __init__(self, project: Path, study: Study) -> None:
        self._study = study
        self._client, self._experiment = open_experiment(project)
        self._world = study.parameters.world
        protocol = study.parameters.model_dump(mode="json", exclude=_NOT_PROTOCOL)
        redraw = list(study.parameters.repetitions.redraw)
        self._parent = self._find_or_start_parent(digest(protocol, redraw)[:8], protocol)

    def log_strategy(self, strategy: str, catalog: DataCatalog) -> None:
        """Write a child for each repetition of a strategy that is not in the database as it is now."""
        results = catalog[f"{strategy}.results"].load()
        for figures in results["repetitions"]:
            fingerprint = self._fingerprint(strategy, figures["repetition"], catalog)
            if not self._is_logged(strategy, figures["repetition"], fingerprint):
                self._log_repetition(strategy, figures, fingerprint, catalog)

    def log_report(self, catalog: DataCatalog) -> None:
        """Attach leaderboard, table of sets and report to the parent run, and write its figures."""
        table = catalog["comparison.leaderboard"].load()
        metrics = [metric(f"top1_mean/{row.strategy}", row.top1_mean) for row in table.itertuples()]
        self._client.log_batch(self._parent, metrics=metrics)
        sentence = catalog["comparison.summary"].load()["sentence"]
        self._client.set_tag(self._parent, "mlflow.note.content", sentence)
        for name in ("comparison.leaderboard", "comparison.sets", "comparison.report"):
            self._client.log_artifact(self._parent, str(path_of(catalog[name])))

    def finish(self) -> None:
        """Mark the parent as finished."""
        self._client.set_terminated(self._parent, "FINISHED")

    def _find_or_start_parent(self, comparison: str, protocol: Mapping[str, Any]) -> str:
        found = self._search(f"tags.comparison = '{comparison}' and tags.role = 'comparison'")
        if found:
            return found[0].info.run_id
        name = f"{self._world} comparison {comparison}"
        tags = {"comparison": comparison, "role": "comparison", "world": self._world, MLFLOW_RUN_NAME: name}
        run = self._client.create_run(self._experiment, tags=tags)
        self._client.log_batch(run.info.run_id, params=list(parameters_of(protocol)))
        return run.info.run_id

    def _fingerprint(self, strategy: str, repetition: int, catalog: DataCatalog) -> str:
        """What a repetition's figures were made of: its classifier's predictions, and its measured images."""
        made = [f"{strategy}.repetition_{repetition}.predictions"]
        if self._study.strategies[strategy].adds_images:
            made.append(f"{strategy}.{self._study.draw('added_images', repetition)}.set_quality")
        return digest([(read_record(catalog[name]) or {}).get("fingerprint") for name in made])

    def _is_logged(self, strategy: str, repetition: int, fingerprint: str) -> bool:
        """Whether this child is there; children of the same repetition made of something else are deleted."""
        there = False
        for run in self._search(
            f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent}' and tags.strategy = '{strategy}' "
            f"and tags.repetition = '{repetition}'"
        ):
            if run.data.tags.get("fingerprint") == fingerprint and run.info.status == "FINISHED":
                there = True
            else:
                self._client.delete_run(run.info.run_id)
        return there

    def _log_repetition(
        self, strategy: str, figures: Mapping[str, Any], fingerprint: str, catalog: DataCatalog
    ) -> None:
        repetition = figures["repetition"]
        tags = {
            MLFLOW_PARENT_RUN_ID: self._parent,
            MLFLOW_RUN_NAME: f"{strategy} repetition {repetition}",
            "role": "repetition",
            "strategy": strategy,
            "repetition": str(repetition),
            "world": self._world,
            "fingerprint": fingerprint,
            "agreement_by": str(figures["agreement_by"]),
            **({"diverged": figures["diverged"]} if figures["diverged"] else {}),
        }
        run = self._client.create_run(self._experiment, tags=tags).info.run_id
        key = f"{strategy}.repetition_{repetition}"
        metrics = [metric(name, value) for name, value in _figures(figures)]
        for row in catalog[f"{key}.history"].load().itertuples():
            metrics += [metric(name, getattr(row, name), row.step) for name in ("train_loss", "val_loss", "val_top1")]
        specification = self._study.parameters.strategies[strategy] or {}
        parameters = {"strategy": specification, "classifier": self._study.parameters.classifier.model_dump()}
        if personalisation := specification.get("personalise"):
            parameters["personalise"] = self._study.parameters.personalisations[personalisation]
            draw = self._study.draw("personalisation", repetition)
            learned = catalog[f"personalise.{personalisation}.{draw}.learned"].load()
            for look in learned.curve.looks:
                for name in ("train_loss", "held_out_loss"):
                    if look[name] is not None:
                        metrics.append(metric(f"personalise/{name}", look[name], look["step"]))
        self._client.log_batch(run, metrics=metrics, params=list(parameters_of(parameters)))
        self._client.log_dict(run, dict(figures), "figures.json")
        if self._study.strategies[strategy].adds_images:
            draw = self._study.draw("added_images", repetition)
            images = catalog[f"{strategy}.{draw}.added_images"].load()
            sheet = contact_sheet(*spread_over_classes(images, columns=10, rows=10))
            self._client.log_image(run, sheet, artifact_file="added_images.png")
        self._client.set_terminated(run, "FINISHED")

    def _search(self, condition: str) -> list[Run]:
        return list(self._client.search_runs([self._experiment], filter_string=condition))


def _figures(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a repetition by name; what is not known is left out."""
    for name in ("top1", "top5", "val_top1", "images_added", "label_agreement"):
        if figures[name] is not None:
            yield ("best_val_top1" if name == "val_top1" else name), figures[name]
    for name, value in (figures["set"] or {}).items():
        if value is not None and name != "draw":
            yield f"set/{name}", value
    for stage, seconds in figures["seconds"].items():
        yield f"seconds/{stage}", seconds
    yield "seconds", sum(figures["seconds"].values())
    for column, count in totals(figures["ledger"]).items():
        yield f"ledger/{column}", count


def metric(name: str, value: float, step: int = 0) -> Metric:
    """A figure as MLflow logs it, now."""
    import time

    return Metric(name, float(value), int(time.time() * 1000), int(step))


def parameters_of(tree: Mapping[str, Any], prefix: str = "") -> Iterator[Param]:
    """Nested parameters with dotted names, as MLflow compares them."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from parameters_of(value, f"{prefix}{key}.")
        else:
            yield Param(f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value))
