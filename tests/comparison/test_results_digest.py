"""What the digest of a table counts and what it does not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.results_digest import digest_of_repetition, results_digest
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row

SIZES = pd.DataFrame(
    {
        "variant": "size_curve.times_2",
        "repetition": [0, 0, 1, 1],
        "image_id": ["a", "b", "a", "b"],
        "label": [0, 1, 0, 1],
        "predicted": [0, 1, 1, 1],
        "originals": 20,
    }
)


def images(*colours: int, name: str = "added", label: int = 0) -> ImageTable:
    """An image of each grey level, called by its place."""
    pixels = [np.full((4, 4, 3), colour, np.uint8) for colour in colours]
    return ImageTable.from_rows(image_row(each, f"{name}/{n}", label=label) for n, each in enumerate(pixels))


def predictions(*best: int, labels: tuple[int, ...] = (0, 1, 0)) -> pd.DataFrame:
    frame = pd.DataFrame(np.eye(2)[list(best)] * 0.5 + 0.2, columns=["red", "blue"])
    return frame.assign(image_id=[f"test/{number}" for number in range(len(best))], label=list(labels))


def row(added: ImageTable | None, said: pd.DataFrame, **changes) -> dict:
    """A row of two repetitions; ``changes`` are of the second's figures."""
    made = digest_of_repetition(added, said)
    figures = {"top1": 2 / 3, "top5": None, "val_top1": 0.5, "best_step": 20, "images_added": 2}
    figures |= {"label_agreement": 0.9, "agreement_by": "judge"}
    rest = {"seconds": {"train": 3.0}, "flops": 10, "stored_bytes": 7, "digest": made}
    first, second = ({"repetition": number, **figures, **rest} for number in (0, 1))
    return {"strategy": "any", "description": "words", "repetitions": [first, {**second, **changes}]}


USUAL = {"boomerang": row(images(1, 2), predictions(0, 1, 1)), "retrieval": row(images(3), predictions(0, 1, 0))}


def changed_rows(**changes: dict) -> set[str]:
    """The rows whose digest a change of results makes another; the whole is another where one of them is."""
    before, after = results_digest(USUAL, SIZES), results_digest({**USUAL, **changes}, SIZES)
    rows = {name for name, value in before["rows"].items() if after["rows"][name] != value}
    assert (before["digest"] != after["digest"]) == bool(rows)
    return rows


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (images(1, 3), predictions(0, 1, 1)),  # another pixel
        (images(1, 2, name="other"), predictions(0, 1, 1)),  # another id
        (images(1, 2, label=1), predictions(0, 1, 1)),  # used for another class
        (images(1, 2).take([1, 0]), predictions(0, 1, 1)),  # another order
        (images(1), predictions(0, 1, 1)),  # one less
        (None, predictions(0, 1, 1)),
        (images(1, 2), predictions(0, 1, 0)),  # another prediction
        (images(1, 2), predictions(0, 1, 1, labels=(0, 1, 1))),  # another truth
        (images(1, 2), predictions(0, 1, 1).assign(image_id=["test/0", "test/1", "test/9"])),  # another test image
    ],
    ids=["pixel", "id", "label", "order", "fewer", "none", "prediction", "truth", "test image"],
)
def test_another_image_or_prediction_is_another_digest_of_its_row(added, said):
    assert changed_rows(boomerang=row(added, said)) == {"boomerang"}


@pytest.mark.parametrize(
    "figure",
    [{"top1": 0.5}, {"val_top1": 0.75}, {"best_step": 10}, {"images_added": 1}, {"label_agreement": 0.8}],
    ids=lambda figure: next(iter(figure)),
)
def test_another_figure_of_the_table_is_another_digest(figure):
    assert changed_rows(retrieval=row(images(3), predictions(0, 1, 0), **figure)) == {"retrieval"}


def test_time_cost_and_words_do_not_count():
    slower = row(images(3), predictions(0, 1, 0), seconds={"train": 9.0}, flops=11, stored_bytes=8, set={"kid": 0.1})
    assert changed_rows(retrieval={**slower, "description": "other words", "strategy": "renamed"}) == set()


def test_the_order_of_rows_repetitions_and_test_images_does_not_count():
    retrieval = row(images(3), predictions(0, 1, 0).iloc[::-1])
    turned = {
        "retrieval": {**retrieval, "repetitions": retrieval["repetitions"][::-1]},
        "boomerang": USUAL["boomerang"],
    }
    assert results_digest(turned, SIZES.iloc[::-1]) == results_digest(USUAL, SIZES)
    assert list(results_digest(turned, None)["rows"]) == ["boomerang", "retrieval"]  # so that files can be compared


def test_one_row_less_is_another_table_whose_other_rows_are_the_same():
    one, both = results_digest({"retrieval": USUAL["retrieval"]}, SIZES), results_digest(USUAL, SIZES)
    assert one["digest"] != both["digest"]
    assert one["rows"].items() <= both["rows"].items()


def test_the_size_curve_counts_for_rows_are_worth_what_is_read_from_it():
    other = SIZES.assign(predicted=[0, 1, 0, 1])
    before, after = results_digest(USUAL, SIZES), results_digest(USUAL, other)
    differ = {name for name, value in before["parts"].items() if after["parts"][name] != value}
    assert differ == {"size_curve.times_2.repetition_1.predictions"}
    assert len({before["digest"], after["digest"], results_digest(USUAL, None)["digest"]}) == 3


def test_the_parts_say_what_differs():
    after = results_digest({**USUAL, "retrieval": row(images(4), predictions(0, 1, 0))}, None)
    before = results_digest(USUAL, None)
    differ = {name for name, value in before["parts"].items() if after["parts"][name] != value}
    assert differ == {"retrieval.repetition_0.images", "retrieval.repetition_1.images"}


def test_it_is_short_and_json_can_hold_it(tmp_path):
    made = results_digest(USUAL, SIZES)
    assert json.loads(json.dumps(made)) == made
    assert len(made["digest"]) == 12
    # Read back from their files, results are the same: floats and None survive.
    read = json.loads(json.dumps(USUAL))
    SIZES.to_parquet(tmp_path / "sizes.parquet")
    assert results_digest(read, pd.read_parquet(tmp_path / "sizes.parquet")) == made
