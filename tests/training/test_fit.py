import hashlib

import numpy as np
import pandas as pd
import pytest
import torch

from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.decoded_store import decoded_in
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.kept_squares import DecodedAnew
from retrieval_vs_diffusion.images.squares import squares_of
from retrieval_vs_diffusion.training import fit as fit_module
from retrieval_vs_diffusion.training import training_loop as loop_module
from retrieval_vs_diffusion.training.fit import Fitted, fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

RECIPE = ClassifierTraining(model="tiny_convnet", steps=12, batch_size=8, validation_looks=3, learning_rate=0.01)
NAMES = ("red", "blue")


@pytest.fixture(scope="module")
def fit(red_and_blue, device):
    originals, val = red_and_blue([0, 0, 1, 1], seed=1), red_and_blue([0, 1] * 10, seed=2)

    def run(added=None, recipe=RECIPE, seed=0, mix="share", originals=originals, val=val) -> Fitted:
        return fit_classifier(originals, added, val, NAMES, recipe, mix, device, seed)

    return run


@pytest.fixture(scope="module")
def fitted(fit) -> Fitted:
    return fit()


def without_time(history: pd.DataFrame) -> pd.DataFrame:
    return history.drop(columns="seconds")


def test_what_is_easily_told_apart_is_learned(fitted, red_and_blue, device):
    assert fitted.history["train_loss"].iloc[-1] < fitted.history["train_loss"].iloc[0]
    assert fitted.history["val_top1"].max() == 1.0
    test = red_and_blue([0, 1, 1], seed=3)
    assert top_k_accuracy(fitted.classifier.probabilities(test.pixels(), device), test.labels()) == 1.0


def test_the_looks_are_evenly_spaced_and_the_last_is_at_the_end(fitted):
    assert fitted.history["step"].tolist() == [4, 8, 12]  # three looks in twelve steps
    assert fitted.history["seconds"].is_monotonic_increasing


@pytest.fixture(scope="module")
def trained(fitted, tmp_path_factory) -> ClassifierTraining:
    """A recipe that starts from what was learned already."""
    path = tmp_path_factory.mktemp("init") / "trained.safetensors"
    fitted.classifier.save(path)
    return RECIPE.model_copy(update={"init": str(path), "validation_looks": 12})


def test_the_classifier_is_the_one_of_the_best_look(fit, trained, red_and_blue, device):
    swapped = ImageTable.from_rows(
        {**row, "label": 1 - row["label"]} for row in red_and_blue([0, 0, 1, 1], seed=1).table.to_pylist()
    )
    fitted = fit(originals=swapped, recipe=trained)  # it unlearns what it knew
    accuracies = fitted.history["val_top1"].tolist()
    assert (max(accuracies), accuracies[-1]) == (1.0, 0.0)
    val = red_and_blue([0, 1] * 10, seed=2)
    assert top_k_accuracy(fitted.classifier.probabilities(val.pixels(), device), val.labels()) == 1.0
    kept = fitted.history[fitted.history["kept"]].iloc[-1]
    best = fitted.history.sort_values(["val_top1", "val_loss"], ascending=[False, True]).iloc[0]
    assert kept["step"] == best["step"] < 12  # of equal accuracies the one with the lower loss


def test_the_seed_also_decides_batches_and_crops(fit, trained):
    one, other = (fit(recipe=trained, seed=seed).history["train_loss"].iloc[0] for seed in (0, 1))
    assert one != other  # though both start from the same weights


def test_the_same_seed_gives_the_same_history_and_another_gives_another(fit, fitted):
    pd.testing.assert_frame_equal(without_time(fit().history), without_time(fitted.history))
    assert not without_time(fit(seed=1).history).equals(without_time(fitted.history))


@pytest.fixture(params=["noise", "wrong labels", "one image"])
def other_val(request, red_and_blue) -> ImageTable:
    """Validation images that have nothing to say of red and blue, or say the contrary."""
    if request.param == "one image":
        return red_and_blue([1], seed=7)
    random = np.random.default_rng(7)
    pixels = [random.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(20)]
    noise = ImageTable.from_rows(image_row(each, f"noise/{n}", label=n % 2) for n, each in enumerate(pixels))
    right = red_and_blue([0, 1] * 10, seed=2).table.to_pylist()
    wrong = ImageTable.from_rows({**row, "label": 1 - row["label"]} for row in right)
    return noise if request.param == "noise" else wrong


def weights_of(network: torch.nn.Module) -> str:
    """A digest of all weights and running statistics, to the last bit."""
    held = (value.contiguous().numpy().tobytes() for value in network.state_dict().values())
    return hashlib.sha256(b"".join(held)).hexdigest()


def test_validation_images_change_no_weight_whatever_they_show(fit, other_val, monkeypatch):
    look, seen = loop_module._look, []

    def recorded(network, *looked_at):
        figures = look(network, *looked_at)
        seen.append(weights_of(network))
        return figures

    monkeypatch.setattr(loop_module, "_look", recorded)
    every_step = RECIPE.model_copy(update={"validation_looks": RECIPE.steps})
    one, other = fit(recipe=every_step).history, fit(recipe=every_step, val=other_val).history
    assert len(set(seen[:12])) == 12  # of twelve steps, each of which changes them
    assert seen[:12] == seen[12:]  # bit by bit, running statistics of the normalisation too
    assert one["train_loss"].tolist() == other["train_loss"].tolist()
    assert one["val_loss"].tolist() != other["val_loss"].tolist()  # they are looked at


def test_a_look_is_the_same_however_many_images_go_through_the_network_together(fit, monkeypatch):
    whole = fit().history
    monkeypatch.setattr(loop_module, "_PIXELS_LOOKED_AT", 3 * 16 * 16)  # three images of sixteen pixels
    parts = fit().history
    assert parts["val_top1"].tolist() == whole["val_top1"].tolist()
    assert parts["val_loss"].tolist() == pytest.approx(whole["val_loss"].tolist(), abs=1e-5)


def test_with_one_look_the_classifier_is_the_same_whatever_is_looked_at(fit, other_val):
    once = RECIPE.model_copy(update={"validation_looks": 1})
    one, other = fit(recipe=once), fit(recipe=once, val=other_val)
    assert weights_of(one.classifier.network) == weights_of(other.classifier.network)


def test_no_added_images_are_the_same_as_none(fit, fitted):
    nothing = ImageTable.from_rows([])
    pd.testing.assert_frame_equal(without_time(fit(added=nothing).history), without_time(fitted.history))


def test_added_images_are_trained_on(fit, red_and_blue):
    wrong = red_and_blue([0] * 20, seed=5)
    wrong = ImageTable.from_rows({**row, "label": 1} for row in wrong.table.to_pylist())  # red, labelled blue
    misled = fit(added=wrong, recipe=RECIPE.model_copy(update={"added_share": 0.9}))
    assert misled.history["train_loss"].iloc[-1] < 0.7
    assert misled.history["val_top1"].iloc[-1] < 1.0  # seven of eight images say that red is blue


def test_a_loss_that_is_no_number_stops_the_training_and_says_what_to_do(fit):
    expected = r"^training the classifier stopped at step \d+: the loss is (nan|inf); lower .*_rate \(found 1e\+38"
    with pytest.raises(UserError, match=expected):
        fit(recipe=RECIPE.model_copy(update={"learning_rate": 1e38}))


@pytest.mark.parametrize(
    "changes",
    [{"augmentation": "rand_augment"}, {"augmentation": "trivial_augment"}, {"cutmix": 1.0}],
    ids=lambda changes: next(iter(changes)),
)
def test_strong_augmentation_makes_training_harder_and_is_the_same_each_time(fit, fitted, changes):
    strong, again = (fit(recipe=RECIPE.model_copy(update=changes)).history for _ in range(2))
    pd.testing.assert_frame_equal(without_time(strong), without_time(again))
    assert strong["train_loss"].iloc[-1] > fitted.history["train_loss"].iloc[-1]


def test_settings_of_an_augmentation_that_is_off_change_nothing(fit, fitted):
    off = RECIPE.model_copy(update={"augmentation_magnitude": 20, "cutmix_alpha": 0.3})
    pd.testing.assert_frame_equal(without_time(fit(recipe=off).history), without_time(fitted.history))


def test_an_unknown_model_is_refused(fit):
    with pytest.raises(UserError, match=r'timm has no "tiny_convne"; did you mean "tiny_convnet"\?'):
        fit(recipe=RECIPE.model_copy(update={"model": "tiny_convne"}))


def test_images_are_brought_to_one_size_by_their_short_side():
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 255  # the middle square
    table = ImageTable.from_rows([image_row(wide, "wide"), image_row(np.full((16, 16, 3), 7, np.uint8), "square")])
    squares = squares_of(table, 16)
    assert squares.shape == (2, 16, 16, 3)
    assert squares[0, :, 3:-3].min() == 255
    assert (squares[1] == 7).all()


def test_a_validation_loss_that_is_no_number_stops_it_too(fit, red_and_blue, device, monkeypatch):
    """The last step's loss is taken before its update: what the update broke, only the look afterwards sees."""

    class BrokenBias(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(2))

        def forward(self, images):
            return images.mean(dim=(1, 2, 3))[:, None] + (self.bias if self.training else self.bias * float("nan"))

    monkeypatch.setattr("retrieval_vs_diffusion.training.training_loop.create_network", lambda *_: BrokenBias())
    with pytest.raises(UserError, match=r"stopped at step 4: the loss is nan; lower classifier.learning_rate \(found"):
        fit()


def test_a_gpu_out_of_memory_is_told_with_the_parameter_to_lower(fit, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")

    monkeypatch.setattr("retrieval_vs_diffusion.training.training_loop.to_input", full)
    with pytest.raises(UserError, match=r"^the GPU is out of memory \(CUDA .*2.00 GiB\); lower classifier.batch_size"):
        fit()


def test_a_class_that_got_no_added_image_is_trained_on_its_originals(fit, red_and_blue, device):
    one_sided = red_and_blue([0] * 6, seed=7)
    fitted = fit(added=one_sided, recipe=RECIPE.model_copy(update={"steps": 24}))
    assert np.isfinite(fitted.history[["train_loss", "val_loss"]].to_numpy()).all()
    blue = red_and_blue([1] * 4, seed=8)
    assert top_k_accuracy(fitted.classifier.probabilities(blue.pixels(), device), blue.labels()) == 1.0


LARGE = RECIPE.model_copy(update={"image_size": 40, "steps": 6, "batch_size": 4})


def large(table: ImageTable, seed: int) -> ImageTable:
    """Its rows with noisy pictures of 60 pixels, which take more than 4,096 bytes."""
    random = np.random.default_rng(seed)
    return ImageTable.from_rows(
        {**row, **image_row(random.integers(0, 256, (60, 64, 3), dtype=np.uint8), f"{seed}/{number}")}
        for number, row in enumerate(table.table.to_pylist())
    )


@pytest.mark.parametrize("crop", ["sampled", "resized"])
def test_wherever_the_decoded_images_lie_the_classifier_is_the_same(fit, red_and_blue, tmp_path, monkeypatch, crop):
    recipe = LARGE.model_copy(update={"crop": crop, "horizontal_flip": True})
    tables = {
        "originals": large(red_and_blue([0, 0, 1, 1], seed=1), 1),
        "added": large(red_and_blue([0, 1], seed=2), 2),
    }
    tables["val"] = large(red_and_blue([0, 1] * 3, seed=3), 3)
    in_memory = fit(recipe=recipe, **tables)
    with decoded_in(tmp_path / "decoded", 10**9):
        decoded, again = fit(recipe=recipe, **tables), fit(recipe=recipe, **tables)
    assert list(tmp_path.glob("decoded/*/*/pixels"))
    monkeypatch.setattr(fit_module, "training_squares", lambda listed, size: DecodedAnew(listed, size, 10**9))
    anew = fit(recipe=recipe, **tables)
    for other in (decoded, again, anew):
        pd.testing.assert_frame_equal(without_time(other.history), without_time(in_memory.history))
        assert weights_of(other.classifier.network) == weights_of(in_memory.classifier.network)


def test_resized_crops_train_as_well_and_are_another_training(fit, fitted, red_and_blue, device):
    resized = fit(recipe=RECIPE.model_copy(update={"crop": "resized"}))
    assert resized.history["val_top1"].max() == 1.0
    assert not without_time(resized.history).equals(without_time(fitted.history))
    again = fit(recipe=RECIPE.model_copy(update={"crop": "resized"}))
    pd.testing.assert_frame_equal(without_time(again.history), without_time(resized.history))


def test_in_bfloat16_it_learns_as_well_and_the_classifier_is_in_float32(fit, fitted):
    bfloat16 = RECIPE.model_copy(update={"precision": "bfloat16"})
    half = fit(recipe=bfloat16)
    assert half.history["val_top1"].max() == 1.0
    # Three digits hold: 8 bits of mantissa are 1/256 a product, over the means of twelve steps.
    np.testing.assert_allclose(half.history["train_loss"], fitted.history["train_loss"], rtol=0.02)
    assert not without_time(half.history).equals(without_time(fitted.history))
    assert {each.dtype for each in half.classifier.network.parameters()} == {torch.float32}
    pd.testing.assert_frame_equal(without_time(fit(recipe=bfloat16).history), without_time(half.history))
