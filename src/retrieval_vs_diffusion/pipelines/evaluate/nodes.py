"""Nodes that test classifiers, judge added images, and compare strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip


def predict_test(classifier: Classifier, test: ImageTable, compute: dict[str, Any]) -> pd.DataFrame:
    """Class probabilities of each test image, with its id and label; the only node that reads test images."""
    import pandas as pd

    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.training.fit import at_size

    probabilities = classifier.probabilities(at_size(test, classifier.image_size), choose_device(**compute))
    about = pd.DataFrame({"image_id": test.column("image_id"), "label": test.labels()})
    return pd.concat([about, pd.DataFrame(probabilities, columns=list(classifier.class_names))], axis=1)


def judge_images(
    added: ImageTable, class_names: list[str], clip: Clip, compute: dict[str, Any], judge: Classifier | None = None
) -> dict[str, Any]:
    """Measure how many of a strategy's images show the class that they are labelled with."""
    from retrieval_vs_diffusion.comparison.label_agreement import measure_label_agreement
    from retrieval_vs_diffusion.models.device import choose_device

    device = choose_device(**compute)
    return measure_label_agreement(added, tuple(class_names), judge, clip.to(device), device)


def check_judge(judge: Classifier, val: ImageTable, compute: dict[str, Any]) -> dict[str, float]:
    """The judge's accuracy on the target's validation images: how far its verdicts can be trusted."""
    from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.training.fit import at_size

    pixels = at_size(val, judge.image_size)
    probabilities = judge.probabilities(pixels, choose_device(**compute))
    return {"judge_top1_on_val": top_k_accuracy(probabilities, val.labels()), "images": len(val)}


def collect_results(
    about: dict[str, Any], repetitions: list[str], **artifacts: Any
) -> tuple[dict[str, Any], ImageTable]:
    """Bring a strategy's repetitions together: its results, and examples of its images."""
    from retrieval_vs_diffusion.comparison.results import gather

    return gather(about, repetitions, artifacts)


def compare(
    order: list[str], low_label_agreement: float, **results: dict[str, Any] | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The leaderboard of all strategies whose results hold, and what it says in words."""
    from retrieval_vs_diffusion.comparison.leaderboard import leaderboard, summary

    there = [result for name in order if (result := results.get(name)) is not None]
    return leaderboard(there), summary(there, low_label_agreement)
