"""One comparison in MLflow: its parent run, what the reporting layer says, and the children's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NAME

from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.execution.freshness import path_of
from retrieval_vs_diffusion.images.contact_sheet import contact_sheet, spread_over_classes
from retrieval_vs_diffusion.mlflow_children import (
    FAILURE,
    PROCESS,
    PROJECT,
    Children,
    Key,
    mark_failed,
    mark_what_died,
)
from retrieval_vs_diffusion.mlflow_figures import (
    comparison_figures,
    index_figures,
    personalisation_curves,
    repetition_figures,
    training_curves,
)
from retrieval_vs_diffusion.mlflow_notes import comparison_name, comparison_note, repetition_note
from retrieval_vs_diffusion.mlflow_store import NOTE, name_of, open_experiment, parameters_of, search, write
from retrieval_vs_diffusion.pipelines.index_build.pipeline import INDEX_CHECK
from retrieval_vs_diffusion.running_process import RunningProcess
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.tracking import DATABASE
from retrieval_vs_diffusion.tracking_server import RemoteTracking
from retrieval_vs_diffusion.tracking_state import (
    DATA,
    NOT_PROTOCOL,
    REPORTED,
    Compared,
    fingerprint,
    is_collected,
    report_digest,
)

_CONTEXTS = {"target": "train, validation and test", "pool": "retrieval"}


class MlflowComparison:
    """Runs in the project's ``mlflow.db``, or on a server.

    Args:
        project: the project's folder.
        server: None for the project's own database.
        study: strategies and repetitions.
        compared: which comparison it is.
        catalog: where target and pool stand.
        given: parameters that were given on the command line, for the parent's name.
    """

    def __init__(
        self,
        project: Path,
        server: RemoteTracking | None,
        study: Study,
        compared: Compared,
        catalog: DataCatalog,
        given: Mapping[str, Any],
    ) -> None:
        self._study, self._compared = study, compared
        self._client, self._experiment = open_experiment(project, server)
        self._process = RunningProcess(project / f"{DATABASE}.running")
        world = study.parameters.world
        self._tags = {"comparison": compared.key, "data_digest": compared.data_digest, "world": world}
        if server is not None:
            self._tags[PROJECT] = name_of(project)
        mark_what_died(self._client, self._experiment, self._process, self._tags.get(PROJECT))
        self._inputs = [_input(world, name, digest, catalog) for name, digest in compared.data.items()]
        with alone_with(project / DATABASE, "opening the comparison in MLflow"):  # so that jobs make it once
            self._parent = self._find_parent() or self._start_parent(given)
        parent = self._parent.info.run_id
        self._children = Children(self._client, self._experiment, parent, self._tags, self._process)
        self._at_work = False

    def start_repetition(self, key: Key) -> None:
        """Open the child of a repetition that is worked on, with its settings."""
        if key in self._children.open:
            return
        self._begin()
        run = self._children.start(key, {NOTE: self._study.strategies[key[0]].description})
        strategy = self._study.parameters.strategies[key[0]] or {}
        settings = {"strategy": strategy, "classifier": self._study.parameters.classifier.model_dump()}
        if personalisation := strategy.get("personalise"):
            settings["personalise"] = self._study.parameters.personalisations[personalisation]
        write(self._client, run, params=parameters_of(settings))
        self._client.log_inputs(run, self._inputs)

    def log_strategy(self, strategy: str, catalog: DataCatalog) -> None:
        """Write the figures of each repetition of a strategy that are not in the database as they are now."""
        if not is_collected(self._study, strategy, catalog):
            return
        there = self._children.of(strategy)
        for figures in catalog[f"{strategy}.results"].load()["repetitions"]:
            key, repetition = (strategy, figures["repetition"]), str(figures["repetition"])
            earlier = [run for run in there if run.data.tags["repetition"] == repetition]
            made_of = fingerprint(self._study, strategy, figures["repetition"], catalog)
            whole = [run for run in earlier if _is_whole(run, made_of)]
            if whole and key not in self._children.open:
                self._children.drop(run for run in earlier if run is not whole[0])
            else:
                self._log_repetition(key, figures, made_of, catalog)

    def log_report(self, catalog: DataCatalog) -> None:
        """Attach the reporting layer to the parent run and write its figures, where they are new."""
        place = Path(str(path_of(catalog[REPORTED[0]])))
        with alone_with(place.with_name("comparison"), "writing the report to MLflow"):  # nobody writes it anew now
            self._log_report(catalog)

    def _log_report(self, catalog: DataCatalog) -> None:
        run, now = self._parent.info.run_id, report_digest(catalog)
        if self._client.get_run(run).data.tags.get("reported") == now:
            return
        self._begin()
        leaderboard, summary = (catalog[f"comparison.{name}"].load() for name in ("leaderboard", "summary"))
        write(self._client, run, comparison_figures(leaderboard, catalog["comparison.size_curve"].load()))
        index_check = catalog[INDEX_CHECK].load() if self._study.has_pool and catalog[INDEX_CHECK].exists() else None
        if index_check is not None:  # no row that is compared may need an index
            write(self._client, run, index_figures(index_check))
        tags = {"verdict": summary["sentence"], NOTE: comparison_note(leaderboard, summary)}
        tags["results_digest"] = catalog["comparison.results_digest"].load()["digest"]
        tags |= {f"best_{arm}": name or "none" for arm, name in summary["best"].items()}
        for name in REPORTED:
            self._client.log_artifact(run, str(path_of(catalog[name])))
        write(self._client, run, tags={**tags, "reported": now})

    def fail(self, reasons: Mapping[Key, str], otherwise: str) -> None:
        """What is open has failed, and what could not be begun.

        Args:
            reasons: why, of repetitions of which that is known.
            otherwise: why the others failed that are open.
        """
        for key, reason in {**dict.fromkeys(self._children.open, otherwise), **reasons}.items():
            self.start_repetition(key)
            self._children.fail(key, reason)

    def end(self, failure: str | None = None) -> None:
        """Nothing more comes from this process: what is open waits for the stages that make its figures."""
        self._children.wait()
        run = self._parent.info
        if failure:
            mark_failed(self._client, run.run_id, failure)
        elif self._at_work or run.status != "FINISHED":
            if FAILURE in self._client.get_run(run.run_id).data.tags:
                self._client.delete_tag(run.run_id, FAILURE)
            if not self._children.others_at_work():
                self._client.set_terminated(run.run_id, "FINISHED")
        self._process.end()

    def abandon(self) -> None:
        """MLflow cannot be written to: whoever can next marks as failed what is open."""
        self._process.end()

    def _begin(self) -> None:
        """Show that the comparison is worked on, from the first thing that is written."""
        if not self._at_work:
            self._at_work = True
            self._client.update_run(self._parent.info.run_id, status="RUNNING")
            self._client.set_tag(self._parent.info.run_id, PROCESS, self._process.name)

    def _find_parent(self) -> Run | None:
        condition = f"tags.comparison = '{self._compared.key}' and tags.role = 'comparison'"
        if PROJECT in self._tags:
            condition += f" and tags.{PROJECT} = '{self._tags[PROJECT]}'"
        found = search(self._client, self._experiment, condition)
        for run in found:
            if not run.data.params:  # its making broke off, or its answer was lost and it was made twice
                self._client.delete_run(run.info.run_id)
        return next((run for run in found if run.data.params), None)

    def _start_parent(self, given: Mapping[str, Any]) -> Run:
        counted = {name: value for name, value in given.items() if name not in NOT_PROTOCOL}
        name = comparison_name(self._tags["world"], self._compared.key, counted)
        about = {"role": "comparison", "strategy": "all", "repetition": "all", PROCESS: self._process.name}
        run = self._client.create_run(self._experiment, tags={**self._tags, **about, MLFLOW_RUN_NAME: name})
        more = {"redraw": list(self._compared.redraw), "models": self._compared.models, "data": self._compared.data}
        write(self._client, run.info.run_id, params=parameters_of({**self._compared.protocol, **more}))
        self._client.log_inputs(run.info.run_id, self._inputs)
        return run

    def _log_repetition(self, key: Key, figures: Mapping[str, Any], made_of: str, catalog: DataCatalog) -> None:
        strategy, repetition = key
        self.start_repetition(key)
        run = self._children.start(key)
        metrics = list(repetition_figures(figures, self._study.parameters.price))
        metrics += training_curves(catalog[f"{strategy}.repetition_{repetition}.history"].load())
        if personalisation := self._study.strategies[strategy].personalise:
            draw = self._study.draw("personalisation", repetition)
            metrics += personalisation_curves(catalog[f"personalise.{personalisation}.{draw}.learned"].load())
        write(self._client, run, metrics)
        self._client.log_dict(run, dict(figures), "figures.json")
        if self._study.strategies[strategy].adds_images:
            draw = self._study.draw("added_images", repetition)
            images = catalog[f"{strategy}.{draw}.added_images"].load()
            sheet = contact_sheet(*spread_over_classes(images, columns=10, rows=10))
            self._client.log_image(run, sheet, artifact_file="added_images.png")
        note = repetition_note(self._study.strategies[strategy].description, figures)
        tags = {"fingerprint": made_of, "agreement_by": str(figures["agreement_by"]), NOTE: note}
        diverged = {"diverged": figures["diverged"]} if figures["diverged"] else {}
        self._children.finish(key, {**tags, **diverged})


def _is_whole(run: Run, made_of: str) -> bool:
    return run.info.status == "FINISHED" and run.data.tags.get("fingerprint") == made_of


def _input(world: str, name: str, digest: str, catalog: DataCatalog) -> DatasetInput:
    """Target or pool as MLflow shows it beside a run."""
    folder = Path(str(path_of(catalog[DATA[name][-1]]))).parent
    dataset = Dataset(
        name=f"{world} {name}", digest=digest[:8], source_type="local", source=json.dumps({"uri": str(folder)})
    )
    return DatasetInput(dataset, tags=[InputTag(MLFLOW_DATASET_CONTEXT, _CONTEXTS[name])])
