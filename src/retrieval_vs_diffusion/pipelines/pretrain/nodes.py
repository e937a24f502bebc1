"""Nodes that train a world's own models on its pool alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.diffusion import Diffusion


def select_training_images(pool: ImageTable) -> ImageTable:
    """The pool without its planted leaks: no model may have seen a copy of a test image."""
    import numpy as np

    return pool.take(np.setdiff1d(np.arange(len(pool)), pool.rows_with("leak_of")))


def train_clip(images: ImageTable, pretraining: dict[str, Any], compute: dict[str, Any]) -> dict[str, Any]:
    """Train tokenizer and CLIP on the captioned images."""
    from retrieval_vs_diffusion.images.squares import squares_of
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.seeds import derive_seed
    from retrieval_vs_diffusion.training.pretraining.clip import train_clip as train
    from retrieval_vs_diffusion.training.pretraining.settings import Pretraining
    from retrieval_vs_diffusion.training.pretraining.tokenizer import train_tokenizer

    settings, device = Pretraining.model_validate(pretraining), choose_device(**compute)
    captions = images.column("caption")
    tokenizer = train_tokenizer(captions, settings.tokenizer.vocabulary_size, settings.tokenizer.context_length)
    seed = derive_seed("pretrain", "clip", settings.seed)
    pixels = squares_of(images, settings.image_size)
    model, configuration = train(pixels, captions, tokenizer, settings.clip, device, seed)
    return {"model": model, "configuration": configuration, "tokenizer": tokenizer}


def train_diffusion(images: ImageTable, clip: Clip, pretraining: dict[str, Any], compute: dict[str, Any]) -> Any:
    """Train autoencoder and UNet; the text encoder is CLIP's text tower."""
    from retrieval_vs_diffusion.images.squares import squares_of
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.seeds import derive_seed
    from retrieval_vs_diffusion.training.pretraining.autoencoder import train_autoencoder
    from retrieval_vs_diffusion.training.pretraining.denoiser import train_denoiser
    from retrieval_vs_diffusion.training.pretraining.settings import Pretraining
    from retrieval_vs_diffusion.training.pretraining.text_encoder import to_text_encoder

    settings, device = Pretraining.model_validate(pretraining), choose_device(**compute)
    pixels, captions = squares_of(images, settings.image_size), images.column("caption")
    tokenizer: CLIPTokenizer = clip.tokenizer.tokenizer
    text_encoder = to_text_encoder(clip.model, tokenizer)
    seed = derive_seed("pretrain", "autoencoder", settings.seed)
    autoencoder = train_autoencoder(pixels, settings.autoencoder, device, seed)
    seed = derive_seed("pretrain", "denoiser", settings.seed)
    return train_denoiser(pixels, captions, autoencoder, text_encoder, tokenizer, settings.denoiser, device, seed)


def train_judge(
    images: ImageTable, class_names: list[str], pretraining: dict[str, Any], compute: dict[str, Any]
) -> Classifier:
    """Train the judge on the pool's true labels."""
    import numpy as np

    from retrieval_vs_diffusion.images.squares import squares_of
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.seeds import derive_seed
    from retrieval_vs_diffusion.training.pretraining.judge import train_judge as train
    from retrieval_vs_diffusion.training.pretraining.settings import Pretraining

    settings, device = Pretraining.model_validate(pretraining), choose_device(**compute)
    labels = images.column("true_label")
    known = images.take([row for row, label in enumerate(labels) if label is not None])
    true_labels = np.array(known.column("true_label"), dtype=np.int64)
    seed = derive_seed("pretrain", "judge", settings.seed)
    pixels = squares_of(known, settings.image_size)
    network = train(pixels, true_labels, len(class_names), settings.judge, device, seed)
    return Classifier(network, settings.judge.model, tuple(class_names), settings.image_size)


def measure_fairness(
    clip: Clip,
    diffusion: Diffusion,
    judge: Classifier,
    pool: ImageTable,
    val: ImageTable,
    class_names: list[str],
    sampling: dict[str, Any],
    compute: dict[str, Any],
    images_per_class: int = 30,
) -> dict[str, Any]:
    """The model card's figures: whether generator, retrieval and judge are good enough to be compared."""
    from retrieval_vs_diffusion.comparison.fairness import measure
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.models.sampling import Sampling

    started = time.perf_counter()
    device = choose_device(**compute)
    figures = measure(
        clip.to(device),
        diffusion.to(device),
        judge,
        pool,
        val,
        tuple(class_names),
        Sampling.model_validate(sampling),
        images_per_class,
        device,
    )
    return {**figures, "seconds": round(time.perf_counter() - started, 1)}
