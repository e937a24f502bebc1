import json

import numpy as np
import pandas as pd
import pytest
import torch

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.results import EXAMPLE_CLASSES, EXAMPLES, gather
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import REASONS
from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.training.learning_curve import LearningCurve

ABOUT = {"strategy": "textual_inversion", "arm": "generate", "description": "words", "steps": ["generate"]}
LINE = {"asked": 2, "brought": 3, **dict.fromkeys(REASONS, 0), "black": 1, "topped_up": 1, "used": 2, "short_by": 0}


def predictions(*best: int, labels: tuple[int, ...] = (0, 1, 0, 1), classes: int = 2) -> pd.DataFrame:
    """Predictions on four images, certain of one class each."""
    frame = pd.DataFrame(np.eye(classes)[list(best)], columns=[f"class_{number}" for number in range(classes)])
    return frame.assign(image_id=[f"test/{n}" for n in range(len(best))], label=list(labels))


HISTORY = pd.DataFrame(
    {"step": [10, 20, 30], "val_top1": [0.5, 0.75, 0.75], "kept": [True, True, False], "seconds": [1.0, 2.0, 3.5]}
)
RECORD = {"originals": 4, "added": 4, "cost": Cost(3.5, 3.0, 500).to_dict()}


def step(bring: float, screen: float, **cost: float) -> dict:
    """A step's entry in the ledger."""
    classes = {"red": LINE, "blue": LINE}
    return {"classes": classes, "seconds": {"bring": bring, "screen": screen}, "cost": Cost(**cost).to_dict()}


STEP = step(4.0, 0.5, seconds=5.0, gpu_seconds=5.0, peak_memory_bytes=900, flops=1_000)


def with_steps(images: ImageTable, *steps: dict) -> ImageTable:
    return ImageTable(images.table, {"steps": list(steps)})


def learned(name: str, seconds: float, diverged: str | None = None) -> Learned:
    words = {"red.safetensors": {"<red>": torch.zeros(1, 4)}}  # 16 bytes
    return Learned(name, words, {}, LearningCurve(diverged=diverged), Cost(seconds, seconds, 700, 50))


@pytest.fixture
def artifacts(red_and_blue) -> dict:
    """Two repetitions that both added images."""
    made = {}
    for number, best in (("0", (0, 1, 0, 0)), ("1", (0, 1, 1, 0))):
        images = red_and_blue([0, 0, 1, 1], seed=int(number), name=f"added/{number}")
        made |= {
            f"predictions_{number}": predictions(*best),
            f"history_{number}": HISTORY,
            f"training_record_{number}": RECORD,
            f"images_{number}": with_steps(images, STEP),
            f"quality_{number}": {"draw": "shared", "label_agreement": 0.75, "agreement_by": "judge", "kid": 0.5},
        }
    drawn = {"repetition_0": learned("0", 6.0), "repetition_1": learned("1", 8.0, 'class "red", step 7')}
    return {**made, "learned": drawn}


def only(artifacts: dict) -> dict:
    """The one repetition that is gathered."""
    (row,) = gather(ABOUT, ["0"], artifacts)[0]["repetitions"]
    return row


def test_each_repetition_is_a_row_of_numbers(artifacts):
    results, _, _ = gather(ABOUT, ["0", "1"], artifacts)
    assert {key: results[key] for key in ABOUT} == ABOUT
    first, second = results["repetitions"]
    assert (first["repetition"], second["repetition"]) == (0, 1)
    assert (first["top1"], second["top1"]) == (0.75, 0.5)  # three and two of four
    assert (first["val_top1"], first["best_step"]) == (0.75, 20)  # the last look that was kept
    assert (first["images_added"], first["label_agreement"], first["agreement_by"]) == (4, 0.75, "judge")
    assert first["set"] == {"draw": "shared", "kid": 0.5}


def test_what_was_predicted_of_every_test_image_is_kept(artifacts):
    results, _, table = gather(ABOUT, ["0", "1"], artifacts)
    outcomes = Outcomes.from_table(table)
    assert outcomes.predicted.tolist() == [[0, 1, 0, 0], [0, 1, 1, 0]]
    assert outcomes.correct.mean(axis=1).tolist() == [each["top1"] for each in results["repetitions"]]


def test_time_is_told_by_what_it_was_spent_on(artifacts):
    assert only(artifacts)["seconds"] == {"personalise": 6.0, "bring": 4.0, "screen": 0.5, "train": 3.5}


def test_a_cost_is_that_of_personalising_of_all_steps_and_of_training(artifacts):
    row = only(artifacts)
    assert row["gpu_seconds"] == 6.0 + 5.0 + 3.0
    assert row["peak_memory_bytes"] == 900  # the largest of 700, 900 and 500
    assert row["flops"] == 50 + 1_000
    images = sum(len(data) for data in artifacts["images_0"].encoded())
    assert row["stored_bytes"] == images + 16  # of four floats
    artifacts["images_0"] = with_steps(artifacts["images_0"], STEP, step(10.0, 1.0, seconds=20.0, flops=7))
    row = only(artifacts)
    assert row["seconds"] == {"personalise": 6.0, "bring": 14.0, "screen": 1.5, "train": 3.5}
    assert (row["gpu_seconds"], row["flops"]) == (14.0, 1_057)


def test_each_repetition_has_the_draw_of_its_own_or_the_one_that_all_share(artifacts):
    first, second = gather(ABOUT, ["0", "1"], artifacts)[0]["repetitions"]
    assert (first["seconds"]["personalise"], second["seconds"]["personalise"]) == (6.0, 8.0)
    assert (first["diverged"], second["diverged"]) == (None, 'class "red", step 7')
    artifacts["learned"] = {"shared": artifacts["learned"]["repetition_1"]}
    rows = gather(ABOUT, ["0", "1"], artifacts)[0]["repetitions"]
    assert [row["seconds"]["personalise"] for row in rows] == [8.0, 8.0]


def test_the_ledger_has_the_lines_of_every_step(artifacts):
    assert only(artifacts)["ledger"] == [{"red": LINE, "blue": LINE}]
    artifacts["images_0"] = with_steps(artifacts["images_0"], STEP, STEP)
    assert len(only(artifacts)["ledger"]) == 2


def test_examples_are_of_the_first_repetition_in_their_order(artifacts):
    _, examples, _ = gather(ABOUT, ["0", "1"], artifacts)
    assert examples.column("image_id") == ["added/0/0", "added/0/1", "added/0/2", "added/0/3"]


def test_after_the_used_images_come_refused_ones_of_every_step(artifacts, red_and_blue):
    for position, reason in enumerate(("black", "leak: correlates 1.00 with test image 3")):
        rows = red_and_blue([1] * 9, name=f"refused/{position}").table.to_pylist()
        artifacts[f"refused_0_{position}"] = ImageTable.from_rows({**row, "refused": reason} for row in rows)
    artifacts["refused_0_2"] = ImageTable.from_rows([])  # a step that refused nothing
    _, examples, _ = gather(ABOUT, ["0"], artifacts)
    why = examples.column("refused")
    assert why[:4] == [None] * 4
    assert why[4:] == ["black"] * EXAMPLES + ["leak: correlates 1.00 with test image 3"] * EXAMPLES  # of nine each


def test_of_many_images_and_classes_the_first_are_shown(artifacts):
    labels = [label for label in range(EXAMPLE_CLASSES + 2) for _ in range(EXAMPLES + 1)]
    row = artifacts["images_0"].row(0)
    many = ImageTable.from_rows({**row, "image_id": str(n), "label": label} for n, label in enumerate(labels))
    _, examples, _ = gather(ABOUT, ["0"], {**artifacts, "images_0": many})
    assert len(examples) == EXAMPLE_CLASSES * EXAMPLES
    assert max(examples.labels()) == EXAMPLE_CLASSES - 1


def test_where_nothing_is_added_the_originals_are_the_examples(red_and_blue):
    artifacts = {"predictions_0": predictions(0, 1, 0, 1), "history_0": HISTORY, "originals": red_and_blue([0, 1])}
    results, examples, _ = gather(ABOUT, ["0"], {**artifacts, "training_record_0": RECORD})
    row = results["repetitions"][0]
    assert (row["top1"], row["images_added"], row["label_agreement"], row["ledger"]) == (1.0, 0, None, [])
    assert (row["agreement_by"], row["set"], row["diverged"]) == (None, None, None)
    assert row["seconds"] == {"personalise": 0.0, "bring": 0.0, "screen": 0.0, "train": 3.5}
    assert (row["flops"], row["stored_bytes"], row["peak_memory_bytes"]) == (0, 0, 500)
    assert len(examples) == 2


def test_a_strategy_whose_images_were_all_refused_keeps_its_ledger_and_its_time(artifacts):
    line = {**LINE, "brought": 10, "black": 10, "used": 0, "short_by": 2}
    entry = {**STEP, "classes": {"red": line, "blue": line}}
    artifacts["images_0"] = ImageTable.from_rows([], {"steps": [entry]})
    row = only(artifacts)
    assert row["images_added"] == 0
    assert row["ledger"] == [{"red": line, "blue": line}]
    assert row["seconds"]["bring"] == 4.0
    assert len(gather(ABOUT, ["0"], artifacts)[1]) == 0


def test_top_five_is_told_where_there_are_more_than_five_classes(artifacts):
    assert gather(ABOUT, ["0"], artifacts)[0]["repetitions"][0]["top5"] is None
    artifacts["predictions_0"] = predictions(0, 1, 0, 5, labels=(0, 0, 0, 0), classes=6)
    row = gather(ABOUT, ["0"], artifacts)[0]["repetitions"][0]
    # class 0 is among the first five of the last image too: of the five classes with 0 it comes first
    assert (row["top1"], row["top5"]) == (0.5, 1.0)


def test_results_can_be_written_as_json(artifacts):
    results, _, _ = gather(ABOUT, ["0", "1"], artifacts)
    assert json.loads(json.dumps(results)) == results
