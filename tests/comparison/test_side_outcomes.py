import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.side_outcomes import side_outcomes


def predictions(*best: int) -> pd.DataFrame:
    frame = pd.DataFrame(np.eye(2)[list(best)], columns=["red", "blue"])
    return frame.assign(image_id=["a", "b"], label=[0, 1])


def history(*looks: float) -> pd.DataFrame:
    """Validation looks, of which the last but one was kept."""
    return pd.DataFrame({"step": range(len(looks)), "val_top1": looks, "kept": [True] * (len(looks) - 1) + [False]})


ARTIFACTS = {
    **{"predictions_0_0": predictions(0, 1), "predictions_0_1": predictions(1, 1)},
    **{"predictions_1_0": predictions(0, 0), "predictions_1_1": predictions(1, 0)},
    **{f"history_{v}_{r}": history(0.1, 0.5 + 0.1 * v + 0.01 * r, 0.9) for v in (0, 1) for r in (0, 1)},
    **{f"training_record_{v}_{r}": {"originals": 10 * (1 + v), "added": r, "cost": {}} for v in (0, 1) for r in (0, 1)},
}


def test_every_variant_has_what_it_predicted_and_what_went_into_it():
    table = side_outcomes(["half", "twice"], [0, 1], ARTIFACTS)
    assert len(table) == 2 * 2 * 2  # variants, repetitions, images
    per_classifier = table.groupby(["variant", "repetition"])[["originals", "added", "val_top1"]].first()
    assert per_classifier.loc[("half", 1)].tolist() == [10, 1, 0.51]  # the last look that was kept
    assert per_classifier.loc[("twice", 0)].tolist() == [20, 0, 0.6]


def test_a_variants_rows_are_read_as_outcomes():
    table = side_outcomes(["half", "twice"], [0, 1], ARTIFACTS)
    half, twice = (Outcomes.from_table(table[table["variant"] == name]) for name in ("half", "twice"))
    assert half.correct.tolist() == [[True, True], [False, True]]
    assert twice.correct.tolist() == [[True, False], [False, False]]
    assert half.repetitions == (0, 1)
