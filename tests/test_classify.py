"""Classifying folders of images that a user has, as the command does it."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from retrieval_vs_diffusion import classify
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.classifier import Classifier, create_network, to_input

NAMES = ("red", "=cmd", "../blue")


def noise(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    """Around a colour, so that even an untrained network tells photographs apart."""
    random = np.random.default_rng(height * width)
    return (np.array(colour) + random.integers(-20, 21, (height, width, 3))).astype(np.uint8)


PHOTOS = {  # of any shape, some in folders
    "a.png": noise(16, 16, (220, 30, 30)),
    "b/wide.bmp": noise(20, 50, (30, 30, 220)),
    "b/small.tiff": noise(5, 3, (30, 220, 30)),
    "=1+1.png": noise(30, 30, (220, 220, 220)),
    "z.png": noise(64, 48, (30, 30, 30)),
}


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    network = create_network("tiny_convnet", 3).eval()
    with torch.no_grad():
        network.head.weight.mul_(50)
        squares = torch.from_numpy(np.stack([square(pixels, 16) for pixels in PHOTOS.values()]))
        network.head.bias.sub_(network(to_input(squares)).mean(dim=0))  # so that classes differ from image to image
    return Classifier(network, "tiny_convnet", NAMES, 16)


@pytest.fixture
def file(classifier, tmp_path):
    classifier.save(tmp_path / "classifier.safetensors")
    return tmp_path / "classifier.safetensors"


@pytest.fixture
def photos(tmp_path):
    for name, pixels in PHOTOS.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def expected(classifier, device, names, clip=None) -> np.ndarray:
    """Probabilities of these photographs, computed without the command."""
    squares = np.stack([square(PHOTOS[name], classifier.image_size) for name in names])
    return classifier.probabilities(squares, device, clip=clip)


def invoke(*arguments):
    return CliRunner().invoke(classify.command, [str(each) for each in arguments])


def test_the_table_has_a_row_a_file_with_the_likeliest_class(classifier, file, photos, tmp_path, device):
    summary = classify.classify_folder(file, photos, tmp_path / "out.csv", device="cpu")
    table = pd.read_csv(tmp_path / "out.csv")
    names = sorted(PHOTOS)
    assert table["file"].tolist() == ["'=1+1.png", *names[1:]]  # harmless in a spreadsheet
    truth = expected(classifier, device, names)
    safe = {0: "red", 1: "'=cmd", 2: "../blue"}
    assert table["class"].tolist() == [safe[label] for label in truth.argmax(axis=1)]
    assert table["probability"].to_numpy() == pytest.approx(truth.max(axis=1), abs=1e-5)
    assert summary.classes.total() == 5
    assert not summary.broken
    assert len(set(truth.argmax(axis=1))) > 1  # or the test would say little


def test_top_classes_are_listed_likeliest_first(classifier, file, photos, tmp_path, device):
    classify.classify_folder(file, photos, tmp_path / "out.csv", top=3, device="cpu")
    table = pd.read_csv(tmp_path / "out.csv")
    assert list(table.columns[1:]) == ["class", "probability", "class_2", "probability_2", "class_3", "probability_3"]
    sums = table[["probability", "probability_2", "probability_3"]]
    assert sums.sum(axis=1).to_numpy() == pytest.approx(np.ones(5), abs=1e-5)  # three of three classes
    ordered = -np.sort(-expected(classifier, device, sorted(PHOTOS)), axis=1)
    assert sums.to_numpy() == pytest.approx(ordered, abs=1e-5)


def test_predictions_do_not_depend_on_how_many_images_are_in_memory(file, photos, tmp_path, monkeypatch):
    classify.classify_folder(file, photos, tmp_path / "whole.csv", device="cpu")
    seen = []
    probabilities = Classifier.probabilities

    def counted(self, pixels, *arguments, **keywords):
        seen.append(len(pixels))
        return probabilities(self, pixels, *arguments, **keywords)

    monkeypatch.setattr(Classifier, "probabilities", counted)
    monkeypatch.setattr(classify, "_BATCH_BYTES", 2 * 3 * 16 * 16)  # two squares of 16 pixels
    classify.classify_folder(file, photos, tmp_path / "parts.csv", device="cpu")
    assert seen == [2, 2, 1]
    whole, parts = (pd.read_csv(tmp_path / name) for name in ("whole.csv", "parts.csv"))
    assert whole["class"].equals(parts["class"])
    assert whole["probability"].to_numpy() == pytest.approx(parts["probability"].to_numpy(), abs=1e-5)


def test_broken_files_are_counted_and_named_and_their_rows_are_empty(file, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no image")
    (photos / "evil\x1b[31m.png").write_bytes(b"")
    run = invoke(file, photos, "--output", tmp_path / "out.csv", "--top", 2)
    assert run.exit_code == 0, run.output
    assert "5 images classified" in run.output
    assert "2 files could not be read; their rows are empty:" in run.output
    assert "  broken.png: not a whole image of the formats PNG, " in run.output
    assert "  evil\\x1b[31m.png: " in run.output  # a terminal would have turned red
    assert "\x1b" not in run.output
    with (tmp_path / "out.csv").open(newline="") as table:
        rows = {row[0]: row[1:] for row in csv.reader(table)}
    assert rows["broken.png"] == [""] * 4  # two classes and two probabilities
    assert len(rows) == 1 + 5 + 2  # header, images, broken files


def test_what_a_decoder_says_cannot_steer_the_terminal(file, photos, tmp_path, monkeypatch):
    def refused(path):
        raise BrokenImageError("bad \x1b[31m chunk")

    monkeypatch.setattr("retrieval_vs_diffusion.images.image_files.read_image", refused)
    run = invoke(file, photos, "--output", tmp_path / "out.csv")
    assert "none of 5 images can be read, e.g. =1+1.png: bad \\x1b[31m chunk" in run.output


def test_the_summary_counts_the_classes(classifier, file, photos, tmp_path, device):
    run = invoke(file, photos, "--output", tmp_path / "out.csv")
    labels = expected(classifier, device, sorted(PHOTOS)).argmax(axis=1)
    for label in set(labels):
        assert f"  {int((labels == label).sum()):>7}  {NAMES[label]}\n" in run.output


def test_a_linear_probe_reads_the_embeddings_of_its_clip(clip, clip_folder, photos, tmp_path, device):
    torch.manual_seed(0)
    probe = Classifier(torch.nn.Linear(16, 3), "linear", NAMES, clip.image_size, clip.name)
    probe.save(tmp_path / "probe.safetensors")
    run = invoke(tmp_path / "probe.safetensors", photos, "--output", tmp_path / "out.csv", "--clip", clip_folder)
    assert run.exit_code == 0, run.output
    truth = expected(probe, device, sorted(PHOTOS), clip).max(axis=1)
    assert pd.read_csv(tmp_path / "out.csv")["probability"].to_numpy() == pytest.approx(truth, abs=1e-5)

    without = invoke(tmp_path / "probe.safetensors", photos)
    assert without.exit_code == 1
    assert f'linear probe on embeddings of the CLIP model "{clip.name}"; give that' in without.output


def test_a_probe_refuses_another_clip_before_an_image_is_read(clip, clip_folder, photos, tmp_path):
    probe = Classifier(torch.nn.Linear(16, 3), "linear", NAMES, clip.image_size, "another")
    probe.save(tmp_path / "probe.safetensors")
    with pytest.raises(UserError, match=rf'--clip: found the model "{clip.name}"; this classifier reads "another"'):
        classify.classify_folder(tmp_path / "probe.safetensors", photos, tmp_path / "o.csv", clip=str(clip_folder))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{file}", "nowhere"], "there is no folder nowhere"),
        (["{file}", "{empty}"], "holds no images; files that end in .png, "),
        (["{file}", "{broken}"], "none of 1 images can be read, e.g. a.png: not a whole image of"),
        (
            ["nowhere.safetensors", "{photos}"],
            "there is no classifier nowhere.safetensors; `kedro run --pipeline=export`",
        ),
        (
            ["{pickle}", "{photos}"],
            "weights.pt is a pickle, which can run code when read; this project saves its",
        ),
        (
            ["{renamed}", "{photos}"],
            "renamed.safetensors is a pickle, which can run code when read; this project saves its",
        ),
        (["{file}", "{photos}", "--top", "4"], "--top: found 4; 1 to 3 will do"),
        (["{file}", "{photos}", "--top", "0"], "--top: found 0; 1 to 3 will do"),
        (["{file}", "{photos}", "--device", "gpu"], 'device: found "gpu"'),
        (["{file}", "{photos}", "--output", "{photos}"], "a file that ends in .csv will do"),
        (["{file}", "{photos}", "--output", "{folder}"], "a file that ends in .csv will do"),
        (["{file}", "{photos}", "--output", "{file}"], "a file that ends in .csv will do"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_1(file, photos, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("no image")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.csv/kept").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"")

    class Bomb:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    for name in ("weights.pt", "renamed.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    places = {
        "empty": "empty",
        "folder": "folder.csv",
        "broken": "broken",
        "pickle": "weights.pt",
        "renamed": "renamed.safetensors",
    }
    known = {"file": file, "photos": photos, **{key: tmp_path / name for key, name in places.items()}}
    before = file.read_bytes()
    run = invoke(
        *(each.format(**known) for each in arguments),
        *([] if "--output" in arguments else ["--output", tmp_path / "o.csv"]),
    )
    assert run.exit_code == 1, run.output
    (line,) = [line for line in run.output.splitlines() if line.startswith("Error: ")]
    assert message in line
    assert "Traceback" not in run.output
    assert not (tmp_path / "ran").exists()  # nothing was unpickled
    assert not (tmp_path / "o.csv").exists()
    assert not list(tmp_path.glob(".*.part"))
    assert (tmp_path / "folder.csv/kept").exists()
    assert photos.is_dir()
    assert file.read_bytes() == before


def test_it_runs_as_a_module_without_kedro_and_mlflow(file, photos, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        # What stands there as None cannot be imported.
        "import sys\nsys.modules.update(dict.fromkeys(('kedro', 'kedro_datasets', 'mlflow')))\n"
    )
    command = [sys.executable, "-m", "retrieval_vs_diffusion.classify", str(file), str(photos), "--device=cpu"]
    path = [str(tmp_path), *sys.path]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "5 images classified" in run.stdout
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 5
