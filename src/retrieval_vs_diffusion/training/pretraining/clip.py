"""Training a small open_clip CLIP on captioned images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import UInt8

from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.pretraining.photograph_looks import PhotographLooks
from retrieval_vs_diffusion.training.pretraining.settings import ClipTraining
from retrieval_vs_diffusion.training.resumable import Resumable, is_checkpoint

if TYPE_CHECKING:
    from transformers import CLIPTokenizer


def model_configuration(settings: ClipTraining, tokenizer: CLIPTokenizer, image_size: int) -> dict[str, Any]:
    """The ``model_cfg`` of open_clip's local folder format."""
    return {
        "custom_text": True,  # text tower under its own name, as CustomTextCLIP has it
        "embed_dim": settings.embedding_dim,
        "vision_cfg": {
            "timm_model_name": settings.image_tower,
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": image_size,
        },
        "text_cfg": {
            "context_length": tokenizer.model_max_length,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "tokenizer",  # read from the model's own folder
            "tokenizer_kwargs": {"clean": "lower"},
            "width": settings.text_width,
            "heads": max(1, settings.text_width // 32),
            "layers": settings.text_layers,
        },
    }


def train_clip(
    pixels: UInt8[np.ndarray, "n h w 3"],
    captions: Sequence[str],
    tokenizer: CLIPTokenizer,
    settings: ClipTraining,
    device: torch.device,
    seed: int,
) -> tuple[Any, dict[str, Any]]:
    """Train image and text tower with CLIP's symmetric contrastive loss.

    Returns:
        The open_clip model on the CPU, and the configuration from which it can be built again.
    """
    import open_clip

    torch.manual_seed(seed)
    configuration = model_configuration(settings, tokenizer, pixels.shape[1])
    towers = {key: value for key, value in configuration.items() if key != "custom_text"}
    network = open_clip.CustomTextCLIP(**towers).to(device).train()
    open_clip.set_model_preprocess_cfg(network, {"mean": (0.5,) * 3, "std": (0.25,) * 3})
    clip = Clip(network, None, "in training", device)
    network.train()
    change = PhotographLooks(settings.smallest_crop_area, settings.horizontal_flip)
    generator = torch.Generator().manual_seed(seed)
    tokens = _tokenize(tokenizer, captions).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    loss_of = open_clip.ClipLoss()
    random = np.random.default_rng(seed)
    resumable = Resumable(
        "CLIP", {"network": network, "optimiser": optimiser, "schedule": schedule}, [generator, random]
    )
    done = resumable.restore().get("done", 0)
    for step in progress(range(done + 1, settings.steps + 1), "training CLIP"):
        batch = random.choice(len(pixels), min(settings.batch_size, len(pixels)), replace=False)
        image, text, scale = network(change(clip.preprocess(pixels[batch]), generator), tokens[batch])[:3]
        loss = loss_of(image, text, scale)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            network.logit_scale.clamp_(0, np.log(100))
        if is_checkpoint(step, settings.steps):
            resumable.keep(done=step)
    return network.eval().cpu(), configuration


def _tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> torch.Tensor:
    settings = {"padding": "max_length", "truncation": True, "max_length": tokenizer.model_max_length}
    return tokenizer(list(captions), return_tensors="pt", **settings).input_ids
