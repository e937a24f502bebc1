"""Fingerprints on pipelines of a few nodes, with files in a temporary folder."""

import json
import os

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from retrieval_vs_diffusion.execution import digest as digest_module
from retrieval_vs_diffusion.execution import freshness
from retrieval_vs_diffusion.execution.digest import digest_of_path, units_fit_any
from retrieval_vs_diffusion.execution.freshness import Freshness
from retrieval_vs_diffusion.pipelines.bound import bound, picking


def draw(number: int) -> int:
    return number


def gather(names: tuple[str, ...], *values: int) -> dict:
    return dict(zip(names, values, strict=True))


def use(name: str, collection: dict, scale: int) -> int:
    return collection[name] * scale


class Model(MemoryDataset):
    """A model that its dataset describes: by a precision, and by a file."""

    def __init__(self, **about) -> None:
        super().__init__(1)
        self.about = about

    def _describe(self):
        return self.about


@pytest.fixture
def made(tmp_path):
    """Run a pipeline of draws that are collected, and of uses that each pick one; tell what ran."""

    def run(draws: int, scale: int = 1, picked: bool = True, values: dict | None = None) -> list[str]:
        values = values or {}
        names = tuple(f"draw_{number}" for number in range(draws))
        nodes = [
            Node(bound(draw, values.get(name, position)), None, name, name=f"make_{name}")
            for position, name in enumerate(names)
        ]
        nodes.append(Node(bound(gather, names), list(names), "collection", name="collect"))
        for name in names:
            function = bound(use, name)
            function = picking(function, {"collection": name}) if picked else function
            nodes.append(Node(function, ["collection", "params:scale"], f"used_{name}", name=f"use_{name}"))
        whole = Pipeline(nodes)
        datasets = {name: JSONDataset(filepath=str(tmp_path / f"{name}.json")) for name in whole.all_outputs()}
        catalog = DataCatalog({**datasets, "params:scale": MemoryDataset(scale)})
        fresh = Freshness(whole, catalog)
        stale = fresh.stale_nodes(whole)
        for node in stale:
            outputs = node.run({name: catalog[name].load() for name in node.inputs})
            for name, value in outputs.items():
                catalog[name].save(value)
                fresh.write_record(name, node, 0.0)
        return [node.name for node in stale]

    return run


def test_everything_is_made_once(made):
    assert set(made(2)) == {"make_draw_0", "make_draw_1", "collect", "use_draw_0", "use_draw_1"}
    assert made(2) == []


def test_one_draw_more_makes_again_the_collection_and_not_what_picks_from_it(made):
    made(2)
    assert set(made(3)) == {"make_draw_2", "collect", "use_draw_2"}


def test_without_picking_all_would_be_made_again(made):
    made(2, picked=False)
    assert set(made(3, picked=False)) == {"make_draw_2", "collect", "use_draw_0", "use_draw_1", "use_draw_2"}


def test_a_draw_that_changes_makes_again_what_picks_it_alone(made):
    made(3)
    assert set(made(3, values={"draw_1": 7})) == {"make_draw_1", "collect", "use_draw_1"}


def test_other_inputs_count_as_ever(made):
    made(2)
    assert set(made(2, scale=3)) == {"use_draw_0", "use_draw_1"}


def test_the_record_names_the_input_that_changed(tmp_path, made):
    made(2)
    record = json.loads((tmp_path / "used_draw_0.json.made.json").read_text())
    assert set(record["inputs"]) == {"collection", "params:scale"}
    assert record["made_by"] == "use_draw_0"


def expected(name: str, dataset) -> str:
    return Freshness(Pipeline([]), DataCatalog({name: dataset})).expected(name)


def test_how_a_model_is_read_counts():
    single, half = (expected("diffusion", Model(precision=each)) for each in ("float32", "bfloat16"))
    assert single != half
    assert single == expected("diffusion", Model(precision="float32"))


def test_a_checkpoint_that_is_a_file_counts_with_its_content(tmp_path):
    file = tmp_path / "clip.safetensors"
    file.write_bytes(b"one")
    first = expected("clip", Model(model="ViT-B-32", checkpoint=str(file)))
    file.write_bytes(b"two")
    second = expected("clip", Model(model="ViT-B-32", checkpoint=str(file)))
    assert len({first, second, expected("clip", Model(model="ViT-B-32", checkpoint="openai"))}) == 3


def test_the_device_that_auto_finds_counts(monkeypatch):
    def compute(found: str, **value) -> str:
        monkeypatch.setattr(freshness, "device_found", lambda: found)
        return expected("params:compute", MemoryDataset({"threads": 1, **value}))

    assert compute("cpu", device="auto") != compute("cuda", device="auto")
    assert compute("cuda", device="auto") == compute("cpu", device="cuda")  # the same machine, said otherwise
    assert compute("cuda", device="cpu") == compute("cpu", device="cpu")  # what is there and not used
    assert compute("cuda") != compute("cpu")  # auto is what is used where nothing is said
    assert compute("cpu", processes=2) == compute("cpu")  # trainings have it bound, and nothing else depends on it


def test_what_units_fit_any_value_of_counts_for_the_result_alone():
    def prints(number: int, names: tuple[str, ...]) -> tuple[str, str]:
        node = Node(units_fit_any(bound(draw, number=number), *names), None, "drawn", name="draw")
        known = Freshness(Pipeline([node]), DataCatalog({}))
        return known.expected("drawn"), known.fingerprint_of_units(node)

    (one, units_of_one), (two, units_of_two) = (prints(number, ("number",)) for number in (1, 2))
    assert one != two
    assert units_of_one == units_of_two
    for number in (1, 2):
        result, units = prints(number, ())
        assert result == units  # of all other steps they belong to what is made


# ---- large artifacts, which are not read again to see whether they are whole


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    """A node's artifact of a few bytes that counts as large, and how often it was read to see whether it is whole."""
    monkeypatch.setattr(digest_module, "_LARGE", 3)
    nodes = Pipeline([Node(bound(gather, ("a", "b")), ["params:x", "params:y"], "made", name="gather")])
    catalog = DataCatalog(
        {
            "made": JSONDataset(filepath=str(tmp_path / "made.json")),
            **{f"params:{name}": MemoryDataset(1) for name in ("x", "y")},
        }
    )
    read = []
    monkeypatch.setattr(freshness, "digest_of_path", lambda path: read.append(path.name) or digest_of_path(path))

    def holds() -> bool:
        read.clear()
        return Freshness(nodes, catalog).holds("made")

    catalog["made"].save({"a": 1, "b": 1})
    Freshness(nodes, catalog).write_record("made", nodes.nodes[0], 0.0)
    return tmp_path / "made.json", holds, read


def test_a_large_artifact_that_was_not_written_to_is_not_read(artifact):
    _, holds, read = artifact
    assert holds()
    assert read == []


def test_one_that_was_touched_is_read_and_holds_if_it_is_the_same(artifact):
    path, holds, read = artifact
    os.utime(path, (1, 1))
    assert holds()
    assert read == ["made.json"]


def test_one_that_was_changed_does_not_hold_though_size_and_date_are_the_same(artifact):
    path, holds, read = artifact
    dates = path.stat()
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert not holds()
    assert read == ["made.json"]


def test_one_that_is_gone_does_not_hold(artifact):
    path, holds, _ = artifact
    path.unlink()
    assert not holds()


def test_without_a_state_in_its_record_an_artifact_is_read_each_time(artifact):
    path, holds, read = artifact
    record = json.loads(path.with_name("made.json.made.json").read_text())
    assert "state" in record
    del record["state"]  # as that of a small one is
    path.with_name("made.json.made.json").write_text(json.dumps(record))
    assert holds()
    assert read == ["made.json"]
    path.write_bytes(path.read_bytes()[:-1])
    assert not holds()


def test_only_of_a_large_artifact_the_state_is_recorded(made, tmp_path, monkeypatch):
    made(1)
    assert "state" not in json.loads((tmp_path / "draw_0.json.made.json").read_text())
    monkeypatch.setattr(digest_module, "_LARGE", 0)
    made(2)
    assert "state" in json.loads((tmp_path / "draw_1.json.made.json").read_text())
    assert made(2) == []


def test_what_is_taken_as_absent_stays_so_whatever_stands_in_its_place(tmp_path):
    datasets = {name: JSONDataset(filepath=str(tmp_path / f"{name}.json")) for name in ("aside", "out")}
    datasets["aside"].metadata = {"required": False}
    steps = Pipeline([Node(draw, "aside", "out", name="out")])
    expected = Freshness(steps, DataCatalog(dict(datasets))).expected("out")  # as the next run will see it
    catalog = DataCatalog(datasets)
    seen = Freshness(steps, catalog)
    assert [node.name for node in seen.stale_nodes(steps)] == ["out"]  # nothing was made, so no input was looked at
    seen.take_as_absent("aside")
    catalog["aside"] = MemoryDataset(None, metadata={"required": False})  # as the runner does
    assert seen.expected("out") == expected
