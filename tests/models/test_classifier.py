import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.classifier import Classifier, create_network, to_input
from retrieval_vs_diffusion.models.clip import Clip

NAMES = ("red", "green", "blue")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(create_network("tiny_convnet", 3).eval(), "tiny_convnet", NAMES, 16)


def test_a_classifier_comes_back_from_its_file_as_it_was(classifier, tmp_path, device):
    classifier.save(tmp_path / "a.safetensors")
    again = Classifier.load(tmp_path / "a.safetensors")
    assert (again.model, again.class_names, again.image_size) == ("tiny_convnet", NAMES, 16)
    assert np.array_equal(again.probabilities(PIXELS, device), classifier.probabilities(PIXELS, device))


def test_probabilities_of_an_image_sum_to_one_and_do_not_depend_on_the_batch(classifier, device):
    whole, parts = classifier.probabilities(PIXELS, device), classifier.probabilities(PIXELS, device, batch_size=2)
    assert whole.shape == (5, 3)
    assert whole.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert whole == pytest.approx(parts, abs=1e-6)


def test_pixels_are_normalised_to_the_same_range():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 1, 3)
    assert to_input(pixels)[:, 0, 0, 0].tolist() == [-2.0, 2.0]  # (0 - 0.5) / 0.25 and (1 - 0.5) / 0.25
    assert to_input(torch.zeros(1, 4, 5, 3, dtype=torch.uint8)).shape == (1, 3, 4, 5)


def test_large_images_are_normalised_a_few_at_a_time_to_the_same_numbers():
    pixels = torch.randint(0, 256, (5, 200, 300, 3), dtype=torch.uint8)  # one of them is 180,000 values
    inputs = to_input(pixels)
    assert torch.equal(inputs, torch.cat([to_input(each) for each in pixels.split(1)]))
    assert torch.equal(inputs, (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25)
    assert inputs.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("fault", ["missing", "pickle", "other"])
def test_a_file_that_is_no_classifier_is_refused_and_never_unpickled(tmp_path, fault):
    path = tmp_path / "a.safetensors"
    if fault == "pickle":
        path.write_bytes(pickle.dumps({"weights": 1}))
    if fault == "other":
        save_file({"w": torch.zeros(2)}, path)
    said = "a pickle, which can run code" if fault == "pickle" else "no classifier as this project saves them"
    with pytest.raises(UserError, match=rf"a\.safetensors is {said}"):
        Classifier.load(path)


def description_in(path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["classifier"])


def test_the_file_says_what_becomes_of_an_image_before_the_network_sees_it(classifier, tmp_path, device):
    classifier.save(tmp_path / "a.safetensors")
    about = description_in(tmp_path / "a.safetensors")["preprocessing"]
    assert about["in_words"] == (
        "RGB; resize the short side to 16 pixels (bicubic), crop the centre 16 x 16; "
        "divide by 255, subtract the mean, divide by the standard deviation"
    )
    # Done by those numbers alone, on a wide image, the network gives the same.
    wide = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 80, 3), dtype=np.uint8))
    short, crop = about["short_side"], about["centre_crop"]
    resized = wide.convert(about["channels"]).resize(
        (2 * short, short), Image.Resampling[about["interpolation"].upper()]
    )
    cut = np.asarray(resized)[:, short - crop // 2 : short + crop // 2]  # the centre of 32 pixels is at 16
    x = (cut / 255 - np.array(about["mean"])) / np.array(about["standard_deviation"])
    with torch.inference_mode():
        logits = classifier.network(torch.from_numpy(x.transpose(2, 0, 1)[None]).float())
    expected = classifier.probabilities(np.stack([square(np.asarray(wide), 16)]), device)
    assert logits.softmax(dim=1).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_probes_file_leaves_normalisation_to_its_clip(probe, clip, tmp_path):
    probe.save(tmp_path / "a.safetensors")
    about = description_in(tmp_path / "a.safetensors")["preprocessing"]
    assert about["clip_name"] == clip.name
    assert "unit-length image embedding" in about["in_words"]
    assert "mean" not in about


def test_a_file_that_does_not_say_so_is_read_all_the_same(classifier, tmp_path):
    classifier.save(tmp_path / "new.safetensors")
    description = description_in(tmp_path / "new.safetensors")
    del description["preprocessing"]
    save_file(load_file(tmp_path / "new.safetensors"), tmp_path / "a", metadata={"classifier": json.dumps(description)})
    assert Classifier.load(tmp_path / "a").class_names == NAMES


def test_the_judge_that_comes_with_the_repository_is_read():
    judge = Classifier.load(Path(__file__).parents[2] / "data/06_models/pretrained/judge.safetensors")
    assert (len(judge.class_names), judge.image_size) == (10, 16)


@pytest.mark.parametrize(
    "description",
    [
        "[]",
        "{}",
        '{"class_names": 3, "model": "tiny_convnet", "image_size": 16}',
        '{"class_names": ["a"], "model": "tiny_convnet", "image_size": 16}',  # its head has three outputs
        '{"class_names": ["a", "b", "c"], "model": "tiny_convnet", "image_size": 0}',
        '{"class_names": ["a", "b", "c"], "model": "linear", "image_size": 16, "clip_name": "x"}',
    ],
)
def test_a_description_that_does_not_fit_is_told_in_one_line(classifier, tmp_path, description):
    save_file(classifier.network.state_dict(), tmp_path / "a.safetensors", metadata={"classifier": description})
    with pytest.raises(UserError, match=r"a\.safetensors is no classifier as this project saves them") as raised:
        Classifier.load(tmp_path / "a.safetensors")
    assert "\n" not in str(raised.value)


def test_a_misspelt_model_is_answered_with_the_one_that_was_meant():
    with pytest.raises(UserError, match=r'classifier\.model: timm has no "resnt18"; did you mean "resnet18"\?'):
        create_network("resnt18", 10)


def test_a_network_may_start_from_weights_and_take_a_new_head(classifier, tmp_path):
    save_file(classifier.network.state_dict(), tmp_path / "start.safetensors")
    network = create_network("tiny_convnet", 5, init=str(tmp_path / "start.safetensors"))
    before, after = classifier.network.state_dict(), network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if not key.startswith("head."))
    assert after["head.weight"].shape == (5, 96)  # five classes now, on the same 96 features


def test_a_network_may_start_from_the_image_tower_of_an_open_clip_model(clip, clip_folder, device):
    network = create_network("tiny_convnet", 5, init=str(clip_folder / "open_clip_model.safetensors"))
    tower = clip.model.visual.trunk.state_dict()
    own = network.state_dict()
    assert all(torch.equal(own[key], tower[key]) for key in tower)
    assert own["features.0.weight"].dtype == torch.float32  # though the file is in half precision
    assert set(own) - set(tower) == {"head.weight", "head.bias"}  # which a tower does not have


def test_an_open_clip_model_with_another_tower_is_refused(clip_folder):
    with pytest.raises(UserError, match=r"does not fit small_convnet_wide: \d+ weights differ, e.g. features"):
        create_network("small_convnet_wide", 3, init=str(clip_folder / "open_clip_model.safetensors"))


def test_a_file_that_is_no_safetensors_whatever_its_name_is_refused(tmp_path):
    (tmp_path / "start.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match=r"classifier\.init: .*start\.safetensors cannot be read as safetensors"):
        create_network("tiny_convnet", 5, init=str(tmp_path / "start.safetensors"))


@pytest.fixture
def probe(clip) -> Classifier:
    torch.manual_seed(0)
    return Classifier(torch.nn.Linear(16, 3), "linear", NAMES, clip.image_size, clip.name)


def test_a_linear_probe_comes_back_with_the_name_of_its_clip(probe, clip, tmp_path, device):
    probe.save(tmp_path / "a.safetensors")
    again = Classifier.load(tmp_path / "a.safetensors")
    assert (again.features, again.clip_name, again.image_size) == ("clip", clip.name, 16)
    whole, parts = (again.probabilities(PIXELS, device, size, clip) for size in (256, 2))
    assert np.array_equal(whole, probe.probabilities(PIXELS, device, clip=clip))
    assert whole == pytest.approx(parts, abs=1e-5)


def test_a_linear_probe_classifies_the_embeddings_of_its_clip(probe, clip, device):
    with torch.no_grad():
        expected = probe.network(torch.from_numpy(clip.embed_images(PIXELS))).softmax(dim=1).numpy()
    assert probe.probabilities(PIXELS, device, clip=clip) == pytest.approx(expected, abs=1e-6)


def test_a_linear_probe_refuses_another_clip_and_none(probe, clip, device):
    other = Clip(clip.model, clip.tokenizer, "other", device)
    for given, found in ((other, '"other"'), (None, "none")):
        with pytest.raises(UserError, match=rf'embeddings of the CLIP model "{clip.name}", found {found}; give it'):
            probe.probabilities(PIXELS, device, clip=given)


def test_a_classifier_of_pixels_says_so(classifier):
    assert (classifier.features, classifier.clip_name) == ("pixels", None)


@pytest.mark.parametrize("name", ["start.pt", "nowhere.safetensors"])
def test_a_start_from_anything_but_a_safetensors_file_is_refused(tmp_path, name):
    (tmp_path / "start.pt").write_bytes(b"")
    said = rf'found ".*{name}"; "scratch" or a .safetensors' if "nowhere" in name else rf".*{name} is a pickle, which"
    with pytest.raises(UserError, match=f"classifier.init: {said}"):
        create_network("tiny_convnet", 5, init=str(tmp_path / name))


def test_a_start_from_another_models_weights_is_refused(classifier, tmp_path):
    save_file(classifier.network.state_dict(), tmp_path / "start.safetensors")
    with pytest.raises(UserError, match=r"does not fit small_convnet_wide: \d+ weights differ, e.g. features"):
        create_network("small_convnet_wide", 3, init=str(tmp_path / "start.safetensors"))


def test_probabilities_that_are_no_numbers_are_refused(device):
    network = create_network("tiny_convnet", 2)
    with torch.no_grad():
        next(iter(network.parameters())).fill_(float("nan"))
    classifier = Classifier(network.eval(), "tiny_convnet", ("a", "b"), 16)
    with pytest.raises(UserError, match=r"\(tiny_convnet\) gives no finite numbers for 3 of 3 images; its weights"):
        classifier.probabilities(np.zeros((3, 16, 16, 3), np.uint8), device)
