"""The table of changes, of files that a user brings: what another picture, shard or name of one makes again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.project.own_files import rendered_pool, write_photographs, write_shards

SETTINGS = {
    "only": "original_only+more_real+retrieval_text_image",
    "clip": {"model": "data/06_models/pretrained/clip", "checkpoint": None},
    "repetitions": {"number": 1},
    "size_curve": {"times_originals": []},
    "leak_comparison": {"arms": []},
    "classifier": {"model": "tiny_convnet", "image_size": 16},
}


@pytest.fixture(scope="module")
def brought(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("brought")
    write_photographs(root / "photographs", per_class=6)
    write_shards(root / "pool", rendered_pool(40), per_shard=20)
    return root


@pytest.fixture(scope="module")
def fingerprints(empty_project, brought):
    """Of every step of a plain run on the user's own files; nothing is run."""

    def of_steps() -> dict[str, str]:
        from kedro.framework.project import pipelines

        from retrieval_vs_diffusion.execution.freshness import Freshness

        given = {**SETTINGS, "target": {"path": str(brought / "photographs")}, "pool": {"path": str(brought / "pool")}}
        bootstrap_project(empty_project)
        with KedroSession.create(empty_project, env="own", runtime_params=given) as session:
            catalog = session.load_context().catalog
            plain = pipelines["__default__"]
            known = Freshness(plain, catalog)
            known.stale_nodes(plain)  # all: what they make counts as there from now on, as after a run
            return {node.name: known.fingerprint(node) for node in plain.nodes}

    return of_steps


@pytest.fixture(scope="module")
def before(fingerprints) -> dict[str, str]:
    return fingerprints()


POOL = {"read_pool", "embed_pool", "build_index"}
ROW = {f"retrieval_text_image.{step}_repetition_0" for step in ("retrieve", "measure_set", "train", "predict_test")}
TABLES = {"compare_strategies", "tabulate", "digest_results", "write_report"}
OF_THE_POOL = POOL | ROW | {"check_index", "retrieval_text_image.collect_results", "comparison.check_screening"}
OF_THE_POOL |= {f"comparison.{name}" for name in TABLES}


def another_pixel(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another_date(path: Path) -> None:
    os.utime(path, (1, 1))


def another_name(path: Path) -> None:
    path.rename(path.with_stem("renamed"))


def one_more(path: Path) -> None:
    path.with_stem("one_more").write_bytes(path.read_bytes())


@pytest.mark.parametrize("change", [another_pixel, another_name, one_more, Path.unlink, another_date])
@pytest.mark.parametrize("file", ["photographs/two/003.png", "pool/00001.tar"])
def test_a_file_of_the_users_makes_again_what_is_read_from_its_folder(fingerprints, before, brought, file, change):
    path = brought / file
    there = {each: each.read_bytes() for each in path.parent.iterdir()}
    try:
        change(path)
        after = fingerprints()
    finally:
        for each in set(path.parent.iterdir()) - there.keys():
            each.unlink()
        for each, content in there.items():
            each.write_bytes(content)
    made = {name for name in before if before[name] != after[name]}
    if change is another_date:
        assert made == set()  # a copy of a folder is the same folder
    elif file.startswith("pool"):
        assert made == OF_THE_POOL
    else:
        # All but what is made of the pool alone.
        assert made == before.keys() - POOL - {"comparison.compare_leaks"}  # of no row here
