"""One strategy's training set and classifier are taken home from the finished test world, and used."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import webdataset

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_folder import read_manifest
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.seeds import derive_seed

STRATEGY, REPETITION = "retrieval_text", 1
ASKED = f"strategy={STRATEGY},export.repetition={REPETITION}"


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """A copy of the project after the export, with what the run printed."""
    project = finished.copy(tmp_path_factory.mktemp("exported") / "project")
    run = project.kedro("run", "--env=test", "--pipeline=export", "--params", ASKED)
    assert run.returncode == 0, run.stdout + run.stderr
    return replace(project, output=run.stdout)


@pytest.fixture(scope="module")
def folder(exported):
    return exported.reporting(f"export/{STRATEGY}")


@pytest.fixture(scope="module")
def trained_on(finished):
    """Label and bytes of each image that the repetition's classifier was trained on, from the artifacts."""
    data = finished.path / "data/test"
    classes = json.loads((data / "02_intermediate/target/classes.json").read_text())
    reservoir = ImageTableDataset(filepath=str(data / "02_intermediate/target/reservoir")).load()
    draw = f"repetition_{REPETITION}"
    originals = SubsetDraw(derive_seed("test", "target subset", draw)).train(reservoir, classes, [4] * 10)
    added = ImageTableDataset(filepath=str(data / f"05_model_input/{STRATEGY}/{draw}/added_images")).load()
    return [pair for table in (originals, added) for pair in zip(table.labels().tolist(), table.encoded(), strict=True)]


def test_only_what_is_taken_home_is_made(exported):
    assert "; 3 to run" in exported.output  # training set, classifier, README
    assert "predict_test" not in exported.output
    assert "Done;" not in exported.output


def test_it_ends_with_where_things_are_and_how_the_repetitions_did_on_validation(exported, finished):
    place = f"data/test/08_reporting/export/{STRATEGY}"
    assert f"the folder  {place}\n" in exported.output
    assert f"kedro classify {place}/classifier.safetensors FOLDER" in exported.output
    assert "40 original, 40 added" in exported.output  # 10 classes of 4, and as many again
    accuracies = []
    for repetition in (0, 1):
        history = finished.path / f"data/test/06_models/classifiers/{STRATEGY}/repetition_{repetition}_history.csv"
        looks = pd.read_csv(history)
        accuracies.append(looks.loc[looks["kept"], "val_top1"].iloc[-1] * 100)
    line = f"Top-1 on validation by repetition: 0: {accuracies[0]:.1f} %, 1: {accuracies[1]:.1f} % (this one)"
    assert line in exported.output


def test_the_image_folder_is_exactly_what_the_classifier_was_trained_on(folder, trained_on):
    manifest = read_manifest(folder / "training_set/manifest.csv")
    assert manifest["origin"].value_counts().to_dict() == {"original": 40, "added": 40}
    files = [(folder / "training_set" / file).read_bytes() for file in manifest["file"]]
    assert list(zip(manifest["label"], files, strict=True)) == trained_on
    there = {path for path in (folder / "training_set/images").rglob("*") if path.is_file()}
    assert len(there) == len(trained_on) == 80
    assert {path.parent.name for path in there} == set(manifest["class"])  # digits' names are safe as they are
    assert manifest.loc[manifest["origin"] == "added", "caption"].str.len().gt(0).any()


def test_the_shards_hold_the_same_images(folder, trained_on):
    shards = sorted(str(path) for path in (folder / "training_set/shards").iterdir())
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert sorted((int(each["cls"]), each["png"]) for each in samples) == sorted(trained_on)
    assert [int(each["cls"]) for each in samples] != sorted(int(each["cls"]) for each in samples)  # shuffled


def test_the_classifier_is_the_repetitions_own(folder, finished):
    own = finished.path / f"data/test/06_models/classifiers/{STRATEGY}/repetition_{REPETITION}.safetensors"
    assert (folder / "classifier.safetensors").read_bytes() == own.read_bytes()


def test_the_readme_has_the_counts_and_the_command(folder):
    text = (folder / "README.md").read_text()
    assert "repetition 1: 40 original and 40 added images of 10 classes" in text
    assert "python -m retrieval_vs_diffusion.classify classifier.safetensors FOLDER\n" in text
    assert "In each batch 50 % of the images were added ones." in text


def test_the_command_predicts_as_the_classifier_does(exported, folder, trained_on, device):
    run = exported.kedro(
        "classify",
        str(folder / "classifier.safetensors"),
        str(folder / "training_set/images"),
        "--output=predictions.csv",
        "--device=cpu",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "80 images classified" in run.stdout
    classifier = Classifier.load(folder / "classifier.safetensors")
    table = read_manifest(folder / "training_set/manifest.csv")
    pixels = np.stack([codec.decode(data) for _, data in trained_on])  # of the classifier's size already
    truth = classifier.probabilities(pixels, device)
    by_file = pd.DataFrame(
        {"class": [classifier.class_names[label] for label in truth.argmax(axis=1)], "probability": truth.max(axis=1)},
        index=table["file"].str.removeprefix("images/"),
    )
    predicted = pd.read_csv(exported.path / "predictions.csv").set_index("file")
    assert list(predicted.index) == sorted(by_file.index)
    assert predicted["class"].to_dict() == by_file["class"].to_dict()
    assert predicted["probability"].to_numpy() == pytest.approx(by_file.loc[predicted.index, "probability"], abs=1e-5)


def test_again_makes_nothing_another_repetition_takes_its_place_and_a_lost_image_comes_back(exported, folder):
    again = exported.kedro("run", "--env=test", "--pipeline=export", "--params", ASKED)
    assert "; 0 to run" in again.stdout, again.stderr
    images = folder / "training_set/images"
    before = {path.read_bytes() for path in images.rglob("*.png")}
    shards = (folder / "training_set/shards/train-00000.tar").read_bytes()
    shutil.rmtree(images / "three")
    other = exported.kedro("run", "--env=test", "--pipeline=export", "--params", f"strategy={STRATEGY}")
    assert "; 3 to run" in other.stdout, other.stderr
    assert {path.read_bytes() for path in images.rglob("*.png")} != before
    assert "repetition 0: 40 original" in (folder / "README.md").read_text()
    back = exported.kedro("run", "--env=test", "--pipeline=export", "--params", ASKED)
    assert back.returncode == 0, back.stderr
    assert {path.read_bytes() for path in images.rglob("*.png")} == before
    assert (folder / "training_set/shards/train-00000.tar").read_bytes() == shards


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("strategy=retrieval_txt", 'strategy: there is no strategy "retrieval_txt"; did you mean "retrieval_text"?'),
        ("strategy=boomerang,export.repetition=2", "export.repetition: found 2; there are 0 to 1"),
        ("strategy=boomerang,export.repetition=-1", "export.repetition: found -1"),
        ("strategy=boomerang,export.repetiton=1", 'there is no such key here; did you mean "repetition"?'),
        ("only=boomerang", "strategy: say whose images and classifier to export"),
    ],
)
def test_what_cannot_be_exported_is_told_in_one_line(finished, parameters, message):
    run = finished.kedro("run", "--env=test", "--pipeline=export", "--params", parameters)
    assert run.returncode == 1
    assert len([line for line in run.stderr.splitlines() if message in line]) == 1
    assert "Traceback" not in run.stdout + run.stderr


def test_naming_a_strategy_to_export_makes_nothing_else_again(finished):
    assert finished.stale(only="all", strategy=STRATEGY, export={"repetition": REPETITION}) == set()


def test_the_comparison_in_mlflow_is_the_same_whatever_is_exported():
    from retrieval_vs_diffusion.tracking_state import NOT_PROTOCOL

    assert {"strategy", "export"} <= NOT_PROTOCOL
