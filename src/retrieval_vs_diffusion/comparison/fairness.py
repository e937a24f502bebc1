"""Whether a world's models are good enough that a comparison made with them means something."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.squares import squares_of
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.ranking import rank_pool

PROMPT = "a photo of a {name}"


def measure(
    clip: Clip,
    diffusion: Diffusion,
    judge: Classifier,
    pool: ImageTable,
    val: ImageTable,
    class_names: tuple[str, ...],
    sampling: Sampling,
    images_per_class: int,
    device: torch.device,
) -> dict[str, Any]:
    """Measure label agreement of plain prompts, precision of text retrieval, and the judge on the target's look.

    Returns:
        Fractions in [0, 1]: ``generation_label_agreement`` (by the judge), ``retrieval_precision`` (by
        true labels), ``judge_top1_on_val``; and ``images_per_class`` behind the first two.
    """
    labels = np.repeat(np.arange(len(class_names)), images_per_class)
    prompts = [PROMPT.format(name=class_names[label]) for label in labels]
    seeds = [derive_seed("model card", number) for number in range(len(labels))]
    generated = np.stack(list(diffusion.text_to_image(prompts, seeds, sampling, "judging generations (batches)")))
    agreed = judge.probabilities(generated, device).argmax(axis=1) == labels

    index = build_index(Embeddings(clip.embed_table(pool), clip.name))
    queries = clip.embed_texts([PROMPT.format(name=name) for name in class_names])
    wanted = dict.fromkeys(range(len(class_names)), images_per_class)
    ranked = rank_pool(list(queries[:, None]), lambda vectors: vectors @ queries.T, index, wanted, floor=-1.0)
    true_labels = pool.column("true_label")
    right = [true_labels[row] == label for label in wanted for row, _ in ranked[label][:images_per_class]]

    on_val = judge.probabilities(squares_of(val, judge.image_size), device)
    return {
        "generation_label_agreement": float(agreed.mean()),
        "retrieval_precision": float(np.mean(right)),
        "judge_top1_on_val": top_k_accuracy(on_val, val.labels()),
        "images_per_class": images_per_class,
    }
