"""The table of changes: what another parameter makes again, no more and no less. That of files is beside this one."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from benchmarks.project_copy import ROOT
from tests.project.conftest import PLAIN
from tests.project.step_names import (
    ADDING,
    ALL_ROWS,
    ALL_TRAINING,
    COMPARISON,
    EVERYTHING,
    GENERATING,
    LEAKS,
    LEAKY_ROW,
    READING,
    REPORT,
    SEARCHING,
    VERDICT,
    each_repetition,
    learned,
    measured,
    row,
    trained,
)

NOTHING: set[str] = set()
CLIP = "data/06_models/pretrained/clip"
SIDE = {"comparison.check_screening"}
# What is generated is also measured against the pool, and searched for with the index.
POOL = measured(*GENERATING) | row("retrieval_text") | LEAKY_ROW | COMPARISON
EMBEDDED = {"embed_val"} | SEARCHING | measured(*ADDING) | POOL
DIFFUSED = row(*GENERATING) | COMPARISON
LARGER = each_repetition("size_curve.times_4", "train", "predict_test")
STRONGER = {"boomerang": {"generate": {"strength": 0.3}}}
LONGER = {"textual_inversion": {"training": {"steps": 5}}}
OUTSIDE = {"more": {"retrieve": {"type": "by_text"}}}


TABLE = [
    # ---- said otherwise, or of no matter to what a plain run makes
    ({}, NOTHING),
    ({"only": "all", "workers": 1, "strategy": "boomerang", "export": {"repetition": 1}}, NOTHING),
    ({"only": "all", "tracking": {"uri": "http://u:geheim@here:5000"}}, NOTHING),
    ({"tune": {"repetitions": 2}, "added_images": {"repetitions": 3}, "pretraining": {"seed": 1}}, NOTHING),
    # What the world's files say, said again: the command in the report is the same. `auto` means the CPU here.
    ({"clip": {"model": CLIP}, "compute": {"device": "cpu"}, "size_curve": {"times_originals": "2+3"}}, NOTHING),
    # ---- data
    ({"target": {"reader": {"seed": 1}}}, EVERYTHING),  # the pool has copies of test images
    ({"target": {"per_class": 5}}, ALL_ROWS | learned() | {"count_originals"}),
    ({"pool": {"reader": {"images": 601}}}, {"read_pool"} | SEARCHING | SIDE | POOL),
    ({"pool": {"index": {"factory": "Flat"}}}, SEARCHING - {"embed_pool"} | POOL),
    # A link may live longer for it; also where the pool, as here, has none.
    (
        {"pool": {"downloads": {"timeout": 5}}},
        row("retrieval_text") | LEAKY_ROW | COMPARISON,
    ),
    ({"compute": {"threads": 2}}, EVERYTHING - READING - SIDE),  # sums are added in another order
    ({"world": "another"}, ALL_ROWS | learned()),  # every seed is another
    # ---- models
    ({"clip": {"model": f"{CLIP}_that_is_not_there"}}, EMBEDDED),
    # Rows that generate from what was retrieved have a leaky twin, which leaves its table as no plain run makes it.
    ({"diffusion": {"precision": "bfloat16"}}, learned() | DIFFUSED | LEAKS),
    ({"diffusion": {"channels_last": True}}, learned() | DIFFUSED | LEAKS),
    ({"diffusion": {"compile": "default"}}, learned() | DIFFUSED | LEAKS),
    # Without one zero-shot CLIP measures, and is itself measured on validation images.
    ({"judge": {"path": None}}, measured(*ADDING) | COMPARISON | LEAKS | {"comparison.check_clip"}),
    # ---- images
    ({"sampling": {"steps": 4}}, DIFFUSED | LEAKS),
    ({"sampling": {"batch_size": 10}}, DIFFUSED | LEAKS),  # the same images but for their last bits
    (
        {"screening": {"leak_similarity": 0.95}},
        row(*ADDING) | LEAKY_ROW | SIDE | COMPARISON,
    ),
    ({"added_per_original": 2.0}, row(*ADDING) - row("more_real") | LEAKY_ROW | COMPARISON),
    ({"strategies": STRONGER}, row("boomerang") | COMPARISON),
    ({"personalisations": LONGER}, learned() | row("textual_inversion") | COMPARISON | LEAKS),
    # ---- training
    ({"classifier": {"steps": 21}}, ALL_TRAINING),
    ({"strategies": {"boomerang": {"classifier": {"added_share": 0.25}}}}, trained("boomerang") | COMPARISON),
    ({"size_curve": {"times_originals": [2, 3, 4]}}, LARGER | {"size_curve.collect_outcomes"} | VERDICT),
    ({"size_curve": {"times_originals": []}, "leak_comparison": {"arms": []}}, VERDICT | LEAKS),
    # ---- what is said of it all
    ({"low_label_agreement": 0.6}, VERDICT - {"comparison.digest_results"}),
    ({"price": {"per_hour": 2.0}}, {"comparison.tabulate"} | REPORT),
    ({"takedown": None, "published": {"source": "somebody", "top1": {"boomerang": [60, 1]}}}, REPORT),
]


@pytest.mark.parametrize(("changed", "made"), TABLE, ids=[str(changed) for changed, _ in TABLE])
def test_a_parameter_makes_again_what_depends_on_it(finished, changed, made):
    assert finished.stale(**changed) == made


def test_the_steps_of_a_plain_run_are_all_in_the_table(empty_project, finished):
    assert type(finished)(empty_project, "").stale() == EVERYTHING


def test_another_entry_is_made_and_the_rows_that_are_there_stay(finished):
    stale = finished.stale(strategies=OUTSIDE, only="more+boomerang")
    own = each_repetition("more", "retrieve", "measure_set", "train", "predict_test") | {"more.collect_results"}
    leaks = {name.replace("retrieval_text", "more") for name in LEAKY_ROW}
    assert stale == own | leaks | COMPARISON


@pytest.fixture
def strategies(finished):
    """Writes other strategies into the finished project's configuration, and puts its own back afterwards."""
    file = finished.path / "conf/base/strategies.yml"
    kept = file.read_text()
    known = yaml.safe_load(kept)

    def write(**changed) -> None:
        file.write_text(yaml.safe_dump({**known, "strategies": changed}, sort_keys=False))

    yield known["strategies"], write
    file.write_text(kept)


def test_a_row_that_is_taken_out_leaves_the_table_and_nothing_else_is_made(finished, strategies):
    known, write = strategies
    write(**{name: entry for name, entry in known.items() if name != "real_guidance"})
    assert finished.stale() == COMPARISON


def test_another_order_of_the_strategies_is_another_order_of_the_tables_alone(finished, strategies):
    known, write = strategies
    write(**dict(reversed(known.items())))
    assert finished.stale() == COMPARISON - {"comparison.digest_results"} | LEAKS


def test_more_repetitions_make_the_new_ones_alone_and_fewer_nothing_but_tables(finished):
    collected = {f"{name}.collect_results" for name in PLAIN} | {"personalise.collect_textual_inversion"}
    aside = {"size_curve.collect_outcomes", "leak_comparison.retrieval_text.collect_outcomes"}
    tables = collected | aside | COMPARISON | LEAKS
    third = {name.replace("repetition_0", "repetition_2") for name in EVERYTHING if name.endswith("repetition_0")}
    assert finished.stale(repetitions={"number": 3}) == third | tables
    assert finished.stale(repetitions={"number": 1}) == tables


def test_what_is_drawn_once_for_all_is_made_once_and_what_is_drawn_anew_stays(finished):
    # Classifiers of all repetitions now begin alike, so that all are others; no image is.
    redraw = ["target_subset", "personalisation", "added_images"]
    assert finished.stale(repetitions={"redraw": redraw}) == ALL_TRAINING


def test_a_takedown_list_makes_again_what_takes_from_the_pool(finished, tmp_path):
    (tmp_path / "takedown.txt").write_text("pool/7\n")
    taken = row("retrieval_text") | LEAKY_ROW | COMPARISON
    assert finished.stale(takedown=str(tmp_path / "takedown.txt")) == taken


def test_what_is_said_of_a_class_makes_again_what_uses_it(finished, tmp_path):
    table = pd.read_csv(ROOT / "conf/base/classes.csv")
    # No plain row reads definitions, and the one that does holds no more: the table is made again without it.
    table.assign(definition=["a ring", *table["definition"][1:]]).to_csv(tmp_path / "defined.csv", index=False)
    assert finished.stale(classes={"path": str(tmp_path / "defined.csv")}) == COMPARISON  # a row is gone
    table.assign(name=["nought", *table["class"][1:]]).to_csv(tmp_path / "named.csv", index=False)
    prompted = row("simple_prompt", "textual_inversion", "retrieval_text") | learned()
    named = prompted | LEAKY_ROW | COMPARISON
    assert finished.stale(classes={"path": str(tmp_path / "named.csv")}) == named
