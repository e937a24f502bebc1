import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.comparison.label_agreement import measure_label_agreement, zero_shot_accuracy
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.clip import Clip

NAMES = ("red", "blue")


@pytest.fixture
def judge() -> Classifier:
    """Calls every image red."""
    network = create_network("tiny_convnet", 2)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([1.0, 0.0]))
    return Classifier(network.eval(), "tiny_convnet", NAMES, 16)


def changed(images: ImageTable, **columns: list) -> ImageTable:
    rows = images.table.to_pylist()
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return ImageTable.from_rows(rows)


def measured_of(images: ImageTable, judge: Classifier | None, clip, device, names: tuple[str, ...] = NAMES) -> dict:
    embeddings = clip.embed_images(images.pixels()) if len(images) else np.zeros((0, 16), np.float32)
    return measure_label_agreement(images, embeddings, names, judge, clip, device)


def test_true_labels_decide_where_they_are_known(red_and_blue, clip, judge, device):
    images = changed(red_and_blue([0, 1, 1, 1]), true_label=[0, 1, 0, None])
    measured = measured_of(images, judge, clip, device)
    # two of four: one shows another class, and one, a pool image without a class, shows none of them
    assert measured == {"label_agreement": 0.5, "agreement_by": "true_labels"}


def test_the_judge_decides_on_generated_images(red_and_blue, clip, judge, device):
    images = changed(red_and_blue([0, 1, 1, 1]), true_label=[None] * 4, checkpoint=["tiny"] * 4)
    measured = measured_of(images, judge, clip, device)
    assert measured == {"label_agreement": 0.25, "agreement_by": "judge"}  # it calls all four red, one is


def test_a_generated_image_is_judged_though_it_was_made_from_one_of_known_class(red_and_blue, clip, judge, device):
    images = changed(red_and_blue([1, 1]), checkpoint=["tiny", "tiny"])
    assert measured_of(images, judge, clip, device)["agreement_by"] == "judge"


def test_without_a_judge_clip_decides_on_generated_images(red_and_blue, clip, device):
    images = changed(red_and_blue([0, 1, 0, 1]), true_label=[None] * 4, checkpoint=["tiny"] * 4)
    measured = measured_of(images, None, clip, device)
    queries = clip.embed_texts(["a photo of a red", "a photo of a blue"])
    nearest = (clip.embed_images(images.pixels()) @ queries.T).argmax(axis=1)
    assert measured == {"label_agreement": float((nearest == [0, 1, 0, 1]).mean()), "agreement_by": "clip_zero_shot"}


def test_clip_says_nothing_of_images_that_it_retrieved_itself(red_and_blue, clip, device):
    retrieved = changed(red_and_blue([0, 1]), true_label=[None] * 2)
    assert measured_of(retrieved, None, clip, device) == {"label_agreement": None, "agreement_by": None}
    mixed = changed(red_and_blue([0, 1, 0]), true_label=[None] * 3, checkpoint=[None, None, "tiny"])
    assert measured_of(mixed, None, clip, device)["label_agreement"] in (0.0, 1.0)  # of the one that was generated


class Described(Clip):
    """A CLIP whose space has an axis a class: the prompt of a word lies on the axis of the class that it names."""

    AXES = ("red", "blue")

    def __init__(self) -> None:
        """Without a model; nothing but texts is embedded."""

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        known = {f"a photo of a {name}": axis for axis, name in enumerate(self.AXES)}
        return np.stack([np.eye(2)[known[text]] if text in known else np.zeros(2) for text in texts]).astype(np.float32)


def test_clip_is_asked_by_the_names_that_prompts_call_the_classes(red_and_blue, device):
    # Folders 001 and 002 that a class table calls red and blue; four generated images, one of which shows the other.
    images = changed(red_and_blue([0, 1, 1, 1]), true_label=[None] * 4, checkpoint=["tiny"] * 4)
    seen = np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
    folders, called = ("001", "002"), ("red", "blue")
    measured = measure_label_agreement(images, seen, folders, None, Described(), device, called)
    assert measured == {"label_agreement": 0.75, "agreement_by": "clip_zero_shot"}
    # By the folders' names each prompt is as far from all images, and the first class is said of every one.
    by_folder = measure_label_agreement(images, seen, folders, None, Described(), device)
    assert by_folder["label_agreement"] == 0.25


def test_a_judge_knows_the_classes_by_the_targets_own_names(red_and_blue, clip, judge, device):
    images = changed(red_and_blue([0, 1]), true_label=[None] * 2, checkpoint=["tiny"] * 2)
    embeddings = clip.embed_images(images.pixels())
    measured = measure_label_agreement(images, embeddings, NAMES, judge, clip, device, ("scarlet", "azure"))
    assert measured == {"label_agreement": 0.5, "agreement_by": "judge"}


def test_clip_says_nothing_of_generated_images_that_it_chose_the_best_of(red_and_blue, device):
    images = changed(red_and_blue([0, 1, 1, 1]), true_label=[None] * 4, checkpoint=["tiny"] * 4)
    seen = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    chosen = changed(images, similarity=[0.5] * 4)
    nothing = {"label_agreement": None, "agreement_by": None}
    assert measure_label_agreement(chosen, seen, NAMES, None, Described(), device) == nothing
    # Of two that were chosen and two that were not, one of the latter shows its class.
    some = changed(images, similarity=[0.5, 0.5, None, None])
    assert measure_label_agreement(some, seen, NAMES, None, Described(), device)["label_agreement"] == 0.5


def test_a_judge_says_it_of_images_that_clip_chose_too(red_and_blue, clip, judge, device):
    chosen = changed(red_and_blue([0, 1]), true_label=[None] * 2, checkpoint=["tiny"] * 2, similarity=[0.5] * 2)
    assert measured_of(chosen, judge, clip, device)["agreement_by"] == "judge"


def test_zero_shot_accuracy_is_the_share_nearest_to_their_own_prompt():
    seen = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [1, 0]], np.float32)
    labels = np.array([0, 0, 0, 1, 1])  # three of five: the third and the last are nearer to the other
    assert zero_shot_accuracy(seen, labels, ("red", "blue"), Described()) == pytest.approx(0.6)


def test_of_no_images_nothing_is_said(clip, judge, device):
    measured = measured_of(ImageTable.from_rows([]), judge, clip, device)
    assert measured == {"label_agreement": None, "agreement_by": None}


def test_a_judge_of_other_classes_is_an_error(red_and_blue, clip, judge, device):
    images = changed(red_and_blue([0]), true_label=[None])
    with pytest.raises(UserError, match=r"judge\.path: the judge knows red, blue, the target's classes are cat, dog;"):
        measured_of(images, judge, clip, device, ("cat", "dog"))
