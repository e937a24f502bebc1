import json

import numpy as np
import pandas as pd
import pytest
import torch

from retrieval_vs_diffusion.comparison.results import gather
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.training.denoising import LearningCurve

ABOUT = {"strategy": "textual_inversion", "arm": "generate", "description": "words"}
LINE = {"asked": 2, "made": 3, "black": 1, "used": 2, "short_by": 0}


def predictions(*best: int, labels: tuple[int, ...] = (0, 1, 0, 1), classes: int = 2) -> pd.DataFrame:
    """Predictions on four images, certain of one class each."""
    frame = pd.DataFrame(np.eye(classes)[list(best)], columns=[f"class_{number}" for number in range(classes)])
    return frame.assign(image_id=[f"test/{n}" for n in range(len(best))], label=list(labels))


HISTORY = pd.DataFrame(
    {"step": [10, 20, 30], "val_top1": [0.5, 0.75, 0.75], "kept": [True, True, False], "seconds": [1.0, 2.0, 3.5]}
)


@pytest.fixture
def artifacts(red_and_blue) -> dict:
    """Two repetitions that both added images."""
    made = {}
    for number, best in (("0", (0, 1, 0, 0)), ("1", (0, 1, 1, 0))):
        images = red_and_blue([0, 0, 1, 1], seed=int(number), name=f"added/{number}")
        made |= {
            f"predictions_{number}": predictions(*best),
            f"history_{number}": HISTORY,
            f"images_{number}": ImageTable(images.table, {"classes": {"red": LINE, "blue": LINE}, "seconds": 4.0}),
            f"quality_{number}": {"draw": "shared", "label_agreement": 0.75, "agreement_by": "judge", "kid": 0.5},
        }
    words = {"red.safetensors": {"<red>": torch.zeros(1, 4)}}
    curve = LearningCurve(diverged='class "red", step 7')
    drawn = {"repetition_0": Learned("0", words, seconds=6.0), "repetition_1": Learned("1", words, {}, curve, 8.0)}
    return {**made, "learned": drawn}


def test_each_repetition_is_a_row_of_numbers(artifacts):
    results, _ = gather(ABOUT, ["0", "1"], artifacts)
    assert {key: results[key] for key in ABOUT} == ABOUT
    first, second = results["repetitions"]
    assert (first["repetition"], second["repetition"]) == (0, 1)
    assert (first["top1"], second["top1"]) == (0.75, 0.5)  # three and two of four
    assert (first["val_top1"], first["best_step"]) == (0.75, 20)  # the last look that was kept
    assert (first["images_added"], first["label_agreement"], first["agreement_by"]) == (4, 0.75, "judge")
    assert first["set"] == {"draw": "shared", "kid": 0.5}


def test_time_is_told_by_what_it_was_spent_on(artifacts):
    results, _ = gather(ABOUT, ["0"], artifacts)
    assert results["repetitions"][0]["seconds"] == {"personalise": 6.0, "bring_images": 4.0, "train": 3.5}


def test_each_repetition_has_the_draw_of_its_own_or_the_one_that_all_share(artifacts):
    first, second = gather(ABOUT, ["0", "1"], artifacts)[0]["repetitions"]
    assert (first["seconds"]["personalise"], second["seconds"]["personalise"]) == (6.0, 8.0)
    assert (first["diverged"], second["diverged"]) == (None, 'class "red", step 7')
    artifacts["learned"] = {"shared": artifacts["learned"]["repetition_1"]}
    rows = gather(ABOUT, ["0", "1"], artifacts)[0]["repetitions"]
    assert [row["seconds"]["personalise"] for row in rows] == [8.0, 8.0]


def test_the_ledger_is_summed_over_classes(artifacts):
    results, _ = gather(ABOUT, ["0"], artifacts)
    assert results["repetitions"][0]["ledger"] == {"asked": 4, "made": 6, "black": 2, "used": 4, "short_by": 0}


def test_examples_are_of_the_first_repetition_a_column_a_class(artifacts):
    _, examples = gather(ABOUT, ["0", "1"], artifacts)
    assert examples.column("image_id") == ["added/0/0", "added/0/2", "added/0/1", "added/0/3"]


def test_where_nothing_is_added_the_originals_are_the_examples(red_and_blue):
    artifacts = {"predictions_0": predictions(0, 1, 0, 1), "history_0": HISTORY, "originals": red_and_blue([0, 1])}
    results, examples = gather(ABOUT, ["0"], artifacts)
    row = results["repetitions"][0]
    assert (row["top1"], row["images_added"], row["label_agreement"], row["ledger"]) == (1.0, 0, None, {})
    assert (row["agreement_by"], row["set"]) == (None, None)
    assert row["seconds"] == {"personalise": 0.0, "bring_images": 0.0, "train": 3.5}
    assert len(examples) == 2


def test_a_strategy_whose_images_were_all_refused_keeps_its_ledger_and_its_time(artifacts):
    line = {"asked": 2, "made": 10, "black": 10, "used": 0, "short_by": 2}
    artifacts["images_0"] = ImageTable.from_rows([], {"classes": {"red": line, "blue": line}, "seconds": 4.0})
    row = gather(ABOUT, ["0"], artifacts)[0]["repetitions"][0]
    assert row["images_added"] == 0
    assert row["ledger"]["short_by"] == 4  # two of each of two classes
    assert row["seconds"]["bring_images"] == 4.0


def test_top_five_is_told_where_there_are_more_than_five_classes(artifacts):
    assert gather(ABOUT, ["0"], artifacts)[0]["repetitions"][0]["top5"] is None
    artifacts["predictions_0"] = predictions(0, 1, 0, 5, labels=(0, 0, 0, 0), classes=6)
    row = gather(ABOUT, ["0"], artifacts)[0]["repetitions"][0]
    # class 0 is among the first five of the last image too: of the five classes with 0 it comes first
    assert (row["top1"], row["top5"]) == (0.5, 1.0)


def test_results_can_be_written_as_json(artifacts):
    results, _ = gather(ABOUT, ["0", "1"], artifacts)
    assert json.loads(json.dumps(results)) == results
