import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.training.fit import Fitted
from retrieval_vs_diffusion.training.linear_probe import (
    INVERSE_REGULARISATIONS,
    _linear,
    fit_linear_probe,
    sample_weights,
)

NAMES = ("red", "blue")


@pytest.fixture(scope="module")
def fit(red_and_blue, clip, device):
    originals, val = red_and_blue([0, 0, 1, 1], seed=1), red_and_blue([0, 1] * 10, seed=2)

    def run(added=None, added_share=0.5, mix="share", originals=originals, val=val, names=NAMES) -> Fitted:
        return fit_linear_probe(originals, added, val, names, added_share, mix, clip)

    return run


@pytest.fixture(scope="module")
def fitted(fit) -> Fitted:
    return fit()


def test_two_classes_that_are_easily_told_apart_are(fitted, red_and_blue, clip, device):
    assert fitted.history["val_top1"].max() == 1.0
    test = red_and_blue([0, 1, 1], seed=3)
    probabilities = fitted.classifier.probabilities(test.pixels(), device, clip=clip)
    assert top_k_accuracy(probabilities, test.labels()) == 1.0
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_ten_classes_get_a_logit_each_and_those_of_scikit_learn(fit, target, clip, device):
    probe = fit(originals=target.reservoir, val=target.val, names=target.class_names).classifier
    assert probe.network.weight.shape == (10, 16)  # classes, dimensions of the tiny CLIP
    known = probe.probabilities(target.reservoir.pixels(), device, clip=clip)
    assert top_k_accuracy(known, target.reservoir.labels()) > 0.5  # of what it was fitted on; chance is 0.1


def test_the_layer_gives_the_probabilities_of_the_regression(clip, red_and_blue):
    import torch
    from sklearn.linear_model import LogisticRegression

    table = red_and_blue([0, 0, 1, 1], seed=1)
    embeddings = clip.embed_table(table)
    for labels in (np.array([0, 1, 1, 0]), np.array([0, 1, 2, 2])):  # two classes are one row of scikit-learn's
        regression = LogisticRegression(C=100).fit(embeddings, labels)
        layer = _linear(regression.coef_, regression.intercept_)
        with torch.no_grad():
            own = layer(torch.from_numpy(embeddings)).softmax(dim=1).numpy()
        assert own == pytest.approx(regression.predict_proba(embeddings), abs=1e-5)


def test_the_history_has_the_columns_of_a_networks_and_a_row_for_each_strength(fitted):
    columns = ["step", "train_loss", "val_loss", "val_top1", "kept", "seconds"]
    assert fitted.history.columns.tolist() == columns
    assert fitted.history["step"].tolist() == list(range(1, len(INVERSE_REGULARISATIONS) + 1))
    assert fitted.history["train_loss"].is_monotonic_decreasing  # the weaker the regularisation, the closer the fit


def test_the_strength_is_the_best_on_validation_and_of_equal_ones_that_of_the_lowest_loss(fitted, red_and_blue, clip):
    kept = fitted.history[fitted.history["kept"]].iloc[-1]
    best = fitted.history.sort_values(["val_top1", "val_loss"], ascending=[False, True]).iloc[0]
    assert kept["step"] == best["step"]
    val = red_and_blue([0, 1] * 10, seed=2)
    probabilities = fitted.classifier.probabilities(val.pixels(), clip.device, clip=clip)
    loss = -np.log(probabilities[np.arange(20), val.labels()]).mean()
    assert loss == pytest.approx(best["val_loss"], abs=1e-5)


@pytest.mark.parametrize(
    ("added", "mix", "expected"),
    [
        (4, "share", [2.0, 2.0, 1.0, 1.0, 1.0, 1.0]),  # of a total of 8, half to 2 originals, half to 4 added
        (4, "union", [1.0] * 6),
        (0, "share", [1.0] * 2),
    ],
)
def test_added_images_have_their_share_of_the_weight(added, mix, expected):
    weights = sample_weights(2, added, 0.5, mix)
    assert weights == pytest.approx(np.array(expected) * len(expected) / sum(expected))  # the mean is 1
    assert weights.mean() == pytest.approx(1.0)


def test_a_share_of_three_quarters_is_three_quarters_of_the_weight():
    weights = sample_weights(5, 3, 0.75, "share")
    assert weights[5:].sum() / weights.sum() == pytest.approx(0.75)
    assert weights[:5] == pytest.approx(np.full(5, 0.25 * 8 / 5))


def test_added_images_with_wrong_labels_mislead_the_more_the_greater_their_share(fit, red_and_blue):
    wrong = ImageTable.from_rows(
        {**row, "label": 1 - row["label"]} for row in red_and_blue([0, 1] * 4, seed=5).table.to_pylist()
    )
    hardly, greatly = (fit(added=wrong, added_share=share) for share in (0.1, 0.9))
    assert hardly.history["val_top1"].max() == 1.0
    assert greatly.history["val_top1"].max() < 0.5


def test_nothing_is_drawn_at_random(fit, fitted):
    again = fit(added=ImageTable.from_rows([]))  # no images are the same as none
    pd.testing.assert_frame_equal(again.history.drop(columns="seconds"), fitted.history.drop(columns="seconds"))


def test_validation_images_choose_among_the_fits_and_change_none(fit, fitted, red_and_blue):
    swapped = ImageTable.from_rows(
        {**row, "label": 1 - row["label"]} for row in red_and_blue([0, 1] * 10, seed=2).table.to_pylist()
    )
    other = fit(val=swapped).history
    assert other["train_loss"].tolist() == fitted.history["train_loss"].tolist()  # of every C, in the last digit
    assert other["val_loss"].tolist() != fitted.history["val_loss"].tolist()
