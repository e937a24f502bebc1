"""Nodes that test classifiers and measure added images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex


def predict_test(
    classifier: Classifier, test: ImageTable, compute: dict[str, Any], clip: Clip | None = None
) -> pd.DataFrame:
    """Class probabilities of each test image, with its id and label; the only node that reads test images."""
    import pandas as pd

    from retrieval_vs_diffusion.images.squares import squares_of
    from retrieval_vs_diffusion.models.device import choose_device

    device = choose_device(**compute)
    pixels = squares_of(test, classifier.image_size)
    probabilities = classifier.probabilities(pixels, device, clip=clip.to(device) if clip else None)
    about = pd.DataFrame({"image_id": test.column("image_id"), "label": test.labels()})
    return pd.concat([about, pd.DataFrame(probabilities, columns=list(classifier.class_names))], axis=1)


def measure_set(
    draw: str,
    added: ImageTable,
    class_names: list[str],
    clip: Clip,
    val: Embeddings,
    near_duplicate_from: float,
    compute: dict[str, Any],
    judge: Classifier | None = None,
    pool: ImageTable | None = None,
    index: VectorIndex | None = None,
) -> dict[str, Any]:
    """Measure what a draw's added images are worth: by class, against validation, themselves and the pool."""
    from retrieval_vs_diffusion.comparison.set_quality import measure_set_quality
    from retrieval_vs_diffusion.models.device import choose_device

    device = choose_device(**compute)
    quality = measure_set_quality(
        added, tuple(class_names), clip.to(device), val, near_duplicate_from, device, judge, pool, index
    )
    return {"draw": draw, **quality}


def check_judge(judge: Classifier, val: ImageTable, compute: dict[str, Any]) -> dict[str, float]:
    """The judge's accuracy on the target's validation images: how far its verdicts can be trusted."""
    from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
    from retrieval_vs_diffusion.images.squares import squares_of
    from retrieval_vs_diffusion.models.device import choose_device

    pixels = squares_of(val, judge.image_size)
    probabilities = judge.probabilities(pixels, choose_device(**compute))
    return {"judge_top1_on_val": top_k_accuracy(probabilities, val.labels()), "images": len(val)}
