"""Which artifacts still hold: each knows the fingerprint of what made it.

The fingerprint of an artifact is a hash of the function that makes it (with its code and bound
values), of its parameters, and of the fingerprints of its other inputs; files that no node makes count
with their content. It stands in a record beside the artifact, with a digest of the artifact itself, so
that a damaged or half-written file is noticed, and what a failed step did not replace goes on holding.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from retrieval_vs_diffusion.atomic import replacing, to_disk
from retrieval_vs_diffusion.execution.devices import device_found
from retrieval_vs_diffusion.execution.digest import (
    UNITS_FIT_ANY,
    digest,
    digest_of_code,
    digest_of_path,
    is_large,
    state_of_path,
)
from retrieval_vs_diffusion.pipelines.bound import PICKS
from retrieval_vs_diffusion.remote.remote_path import as_path

ABSENT = "absent"


def path_of(dataset: Any) -> Path | None:
    """Where a dataset keeps its artifact; None for parameters and datasets in memory."""
    filepath = getattr(dataset, "_filepath", None)
    return as_path(filepath) if filepath is not None else None


def is_optional(dataset: Any) -> bool:
    """Whether a node can do without the dataset: ``metadata: {required: false}`` in the catalog."""
    return (getattr(dataset, "metadata", None) or {}).get("required", True) is False


class Freshness:
    """Fingerprints of everything in a catalog.

    Args:
        whole: all nodes of the project, so that the maker of each artifact is known.
        catalog: the run's catalog.
    """

    def __init__(self, whole: Pipeline, catalog: DataCatalog) -> None:
        self.catalog = catalog
        self._maker: dict[str, Node] = {output: node for node in whole.nodes for output in node.outputs}
        self._expected: dict[str, str] = {}
        self._holds: dict[str, bool] = {}
        self._absent: set[str] = set()

    def take_as_absent(self, name: str) -> None:
        """An optional input that does not hold counts as absent for the whole run, whatever stands in its place."""
        self._absent.add(name)

    def expected(self, name: str) -> str:
        """The fingerprint that an artifact or parameter has now, whether it is made or not."""
        if name not in self._expected:
            maker = self._maker.get(name)
            if maker is not None:
                self._expected[name] = digest(self.fingerprint(maker), name)
            elif name.startswith("params:") or name == "parameters":
                self._expected[name] = digest(_resolved(name, self.catalog[name].load()))
            else:
                self._expected[name] = self._of_source(name)
        return self._expected[name]

    def _of_source(self, name: str) -> str:
        """Hash of what no node makes: its files, and how they are read (a model's precision, a pretrained tag)."""
        dataset = self.catalog.get(name)
        path = path_of(dataset)
        files = digest_of_path(path) if path else None
        if dataset is None or (files is None and not dataset.exists()):
            return ABSENT
        described = {
            key: digest_of_path(as_path(str(value)))
            or str(value)  # a checkpoint that is a file counts with its content
            for key, value in dataset._describe().items()
            if files is None or key != "filepath"
        }
        return digest(files, described)

    def fingerprint(self, node: Node) -> str:
        """Hash of a node's code, bound values and inputs; optional inputs that do not hold are absent."""
        return self._digest_of(node)

    def fingerprint_of_units(self, node: Node) -> str:
        """Hash of what the units of a step that is not done are made of.

        It is that of the step's first artifact, but for bound values that units fit all of (``units_fit_any``).
        """
        name, free = node.outputs[0], getattr(node.func, UNITS_FIT_ANY, ())
        return digest(self._digest_of(node, free), name) if free else self.expected(name)

    def _digest_of(self, node: Node, without: Collection[str] = ()) -> str:
        return digest(digest_of_code(node.func, without), [self._of_input(name, node) for name in node.inputs])

    def _of_input(self, name: str, node: Node) -> str:
        name = getattr(node.func, PICKS, {}).get(name, name)
        if name not in self._absent and is_optional(self.catalog.get(name)) and not self.holds(name):
            self._absent.add(name)  # for the whole run, also when the runner has put nothing in its place
        return ABSENT if name in self._absent else self.expected(name)

    def holds(self, name: str) -> bool:
        """Whether the artifact is there, whole, and made of what it would be made of now."""
        if name not in self._holds:
            self._holds[name] = self._check(name)
        return self._holds[name]

    def _check(self, name: str) -> bool:
        if name not in self._maker:
            return self.expected(name) != ABSENT
        path = path_of(self.catalog.get(name))
        record = self.record(name)
        return (
            path is not None
            and record is not None
            and record["fingerprint"] == self.expected(name)
            and _is_as_recorded(path, record)
        )

    def holds_by_now(self, node: Node) -> bool:
        """Whether all that a node makes is there, whoever made it; looked at anew."""
        return all(self._check(output) for output in node.outputs)

    def inputs_made_otherwise(self, node: Node) -> list[str]:
        """Inputs that a node makes which are not, or no longer, made of what they should be made of."""
        names = [getattr(node.func, PICKS, {}).get(name, name) for name in node.inputs]
        made = [name for name in names if name in self._maker and name not in self._absent]
        records = {name: self.record(name) for name in made if path_of(self.catalog.get(name)) is not None}
        return [name for name, record in records.items() if (record or {}).get("fingerprint") != self.expected(name)]

    def stale_nodes(self, pipeline: Pipeline) -> list[Node]:
        """The nodes that must run, in order: those with an output that does not hold.

        What they make counts as holding for the nodes after them.
        """
        stale = []
        for node in pipeline.nodes:
            if all(self.holds(output) for output in node.outputs):
                continue
            stale.append(node)
            self._holds.update(dict.fromkeys(node.outputs, True))
        return stale

    def record(self, name: str) -> dict[str, Any] | None:
        """What is written beside an artifact; None where nothing readable is."""
        return read_record(self.catalog.get(name))

    def write_record(self, name: str, node: Node, seconds: float) -> None:
        """Say beside an artifact what made it; the artifact holds from now on."""
        path = path_of(self.catalog.get(name))
        if path is None:
            return
        to_disk(path)
        record = {
            "artifact": name,
            "made_by": node.name,
            "fingerprint": self.expected(name),
            "inputs": {each: self._of_input(each, node) for each in node.inputs},
            "content": digest_of_path(path),
            **({"state": state_of_path(path)} if is_large(path) else {}),
            "seconds": round(seconds, 3),
        }
        with replacing(_record_path(path)) as partial:
            partial.write_text(json.dumps(record, indent=1))
        self._holds[name] = True

    def maker(self, name: str) -> Node | None:
        """The node that makes an artifact; None for what the user brings."""
        return self._maker.get(name)

    def changed_inputs(self, name: str) -> list[str]:
        """The inputs of an artifact's maker that differ from when it was made, for messages."""
        record, maker = self.record(name), self._maker.get(name)
        if record is None or maker is None:
            return []
        return [each for each in maker.inputs if record["inputs"].get(each) != self._of_input(each, maker)]


def read_record(dataset: Any) -> dict[str, Any] | None:
    """What is written beside a dataset's artifact; None where nothing readable is."""
    path = path_of(dataset)
    if path is None:
        return None
    try:
        return json.loads(_record_path(path).read_text())
    except (OSError, ValueError):
        return None


def _is_as_recorded(path: Path, record: dict[str, Any]) -> bool:
    """Whether an artifact is whole and unchanged; a large one whose files were not written to is not read again."""
    if "state" in record and path.exists() and record["state"] == state_of_path(path):
        return True
    return record["content"] == digest_of_path(path)


def _resolved(name: str, value: Any) -> Any:
    """A parameter as it counts: ``device: auto`` is the device that it means here; another's numbers differ.

    ``processes`` counts where classifiers are trained, which have it bound, and nowhere else.
    """
    if name != "params:compute":
        return value
    counted = {key: each for key, each in value.items() if key != "processes"}
    return {**counted, "device": device_found()} if counted.get("device", "auto") == "auto" else counted


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".made.json")
