"""A linear classifier on CLIP's image embeddings, fitted on original and added images."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import nn
from torch.nn import functional

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.fit import Fitted

logger = logging.getLogger(__name__)

INVERSE_REGULARISATIONS = (0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # C of scikit-learn, strongest first


def fit_linear_probe(
    originals: ImageTable,
    added: ImageTable | None,
    val: ImageTable,
    class_names: tuple[str, ...],
    added_share: float,
    mix: Literal["share", "union"],
    clip: Clip,
    description: str = "fitting the linear probe",
) -> Fitted:
    """Logistic regression on unit-length embeddings, its regularisation chosen on validation.

    The linear probe of Radford et al. 2021 (arXiv 2103.00020, appendix A.3). Images are neither cropped
    nor augmented, and nothing is drawn at random. Ties in accuracy are broken by validation loss, as
    for a network.

    Args:
        added_share: share of the total weight that the added images have together, where ``mix`` is
            ``share``; with ``union`` all images weigh the same.
        clip: embeds the images; what is fitted works with this model alone.

    Returns:
        The best classifier, and a history with a row for each C that was tried: ``step`` is its place
        in ``INVERSE_REGULARISATIONS``, counted from 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    started = time.perf_counter()
    tables = [originals] if added is None or not len(added) else [originals, added]
    embeddings = np.concatenate([clip.embed_table(table) for table in tables])
    labels = np.concatenate([table.labels() for table in tables])
    weights = sample_weights(len(originals), len(labels) - len(originals), added_share, mix)
    val_embeddings, val_labels = clip.embed_table(val), val.labels()
    regression = LogisticRegression(max_iter=1_000, warm_start=True)

    history: list[dict[str, float]] = []
    best, best_network, chosen = (-1.0, 0.0), nn.Linear(1, 1), 0.0
    for step, strength in enumerate(progress(INVERSE_REGULARISATIONS, description), start=1):
        with warnings.catch_warnings():
            # Where C is large and the classes can be separated, weights grow without end: whether such a
            # fit is any good is for validation to say.
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.set_params(C=strength).fit(embeddings, labels, sample_weight=weights)
        network = _linear(regression.coef_, regression.intercept_)
        _, train_loss = _look(network, embeddings, labels, weights)
        accuracy, val_loss = _look(network, val_embeddings, val_labels, np.ones(len(val)))
        kept = (accuracy, -val_loss) > best
        if kept:
            best, best_network, chosen = (accuracy, -val_loss), network, strength
        figures = {"train_loss": train_loss, "val_loss": val_loss, "val_top1": accuracy}
        history.append({"step": step, **figures, "kept": kept, "seconds": time.perf_counter() - started})
    logger.info("%s: C = %g is best on validation", description, chosen)
    classifier = Classifier(best_network.eval(), "linear", class_names, clip.image_size, clip.name)
    return Fitted(classifier, pd.DataFrame(history))


def sample_weights(
    originals: int, added: int, added_share: float, mix: Literal["share", "union"]
) -> Float[np.ndarray, " n"]:
    """Weights of the originals, then of the added images; their mean is 1, so that C means the same for all.

    Args:
        originals: number of original images.
        added: number of added images; 0 for none.
        added_share: share of the total that the added images have, where ``mix`` is ``share``.
        mix: ``share``, or ``union`` for all alike.
    """
    total = originals + added
    if mix == "union" or not added:
        return np.ones(total)
    return total * np.repeat([(1 - added_share) / originals, added_share / added], [originals, added])


def _linear(coefficients: Float[np.ndarray, "k d"], intercepts: Float[np.ndarray, " k"]) -> nn.Linear:
    """The regression as a layer of logits, one a class; that of two classes has the first one's at zero."""
    if len(coefficients) == 1:
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    layer = nn.Linear(coefficients.shape[1], len(coefficients))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(coefficients))
        layer.bias.copy_(torch.from_numpy(intercepts))
    return layer


@torch.inference_mode()
def _look(
    network: nn.Module,
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
) -> tuple[float, float]:
    """Accuracy, and mean loss by weight."""
    logits, truth = network(torch.from_numpy(embeddings)), torch.from_numpy(labels)
    losses = functional.cross_entropy(logits, truth, reduction="none").numpy()
    return float((logits.argmax(1) == truth).float().mean()), float(np.average(losses, weights=weights))
