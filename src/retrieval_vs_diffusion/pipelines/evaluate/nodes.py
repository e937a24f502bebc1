"""Nodes that test classifiers and measure added images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex
    from retrieval_vs_diffusion.strategies.class_table import ClassTable


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
    class_table: ClassTable | None = None,
) -> dict[str, Any]:
    """Measure what a draw's added images are worth: by class, against validation, themselves and the pool.

    Args:
        class_table: what prompts call the classes, where CLIP is asked which of them an image shows.
    """
    from retrieval_vs_diffusion.comparison.set_quality import measure_set_quality
    from retrieval_vs_diffusion.models.device import choose_device

    device = choose_device(**compute)
    quality = measure_set_quality(
        added,
        tuple(class_names),
        clip.to(device),
        val,
        near_duplicate_from,
        device,
        judge,
        pool,
        index,
        _shown_names(class_names, class_table),
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


def check_clip(
    class_table: ClassTable,
    clip: Clip,
    val: ImageTable,
    embeddings: Embeddings,
    class_names: list[str],
    compute: dict[str, Any],
) -> dict[str, float]:
    """Zero-shot CLIP's accuracy on the target's validation images: it is the judge where there is no other."""
    from retrieval_vs_diffusion.comparison.label_agreement import zero_shot_accuracy
    from retrieval_vs_diffusion.models.device import choose_device

    names = _shown_names(class_names, class_table)
    right = zero_shot_accuracy(embeddings.in_memory(), val.labels(), names, clip.to(choose_device(**compute)))
    return {"clip_top1_on_val": right, "images": len(val)}


def _shown_names(class_names: list[str], class_table: ClassTable | None) -> tuple[str, ...]:
    """What prompts call the classes, those that images are generated from and those that they are measured by."""
    if class_table is None:
        return tuple(class_names)
    return tuple(class_table.fields_of(name)["name"] for name in class_names)
