"""Textual inversion as diffusers' example script has it: one class, its images from files, the encoder's whole table."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

_WEIGHT_DECAY, _BETAS = 1e-2, (0.9, 0.999)  # the example's defaults


class WordFiles(Dataset):
    """Images of a class, opened each time, with a template drawn for each.

    The example also mirrors every second image, which is left out: ours sees no mirrored ones, and a digit's mirror
    image is no digit.

    Args:
        files: of the class.
        tokenizer: knows the word.
        texts: templates filled with the word.
        side: pixels.
    """

    def __init__(self, files: Sequence[Path], tokenizer: Any, texts: Sequence[str], side: int) -> None:
        self._files, self._tokenizer, self._texts, self._side = files, tokenizer, texts, side

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        image = Image.open(self._files[number]).convert("RGB")
        image = image.resize((self._side, self._side), Image.Resampling.BICUBIC)
        pixels = (np.asarray(image) / 127.5 - 1.0).astype(np.float32)
        text = self._texts[int(torch.randint(len(self._texts), ()))]
        length = self._tokenizer.model_max_length
        encoded = self._tokenizer(text, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        return {"input_ids": encoded.input_ids[0], "pixel_values": torch.from_numpy(pixels).permute(2, 0, 1)}


def learn_word(
    pipeline: Any,
    files: Sequence[Path],
    word: str,
    initial: str,
    templates: Sequence[str],
    steps: int,
    batch_size: int,
    learning_rate: float,
) -> Float[torch.Tensor, "1 d"]:
    """The vector of a pseudo-word after so many steps.

    Args:
        pipeline: its tokenizer and text encoder are copied.
        files: images of the class.
        word: is added to the vocabulary.
        initial: the one token that it starts from.
        templates: with ``{name}``.
        steps: of AdamW.
        batch_size: images of a step.
        learning_rate: constant.
    """
    from diffusers import DDPMScheduler

    tokenizer, text_encoder = copy.deepcopy(pipeline.tokenizer), copy.deepcopy(pipeline.text_encoder)
    vae, unet = pipeline.vae, pipeline.unet
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    (start,) = tokenizer.encode(initial, add_special_tokens=False)
    tokenizer.add_tokens([word])
    own = tokenizer.convert_tokens_to_ids(word)
    text_encoder.resize_token_embeddings(len(tokenizer))
    table = text_encoder.get_input_embeddings()
    with torch.no_grad():
        table.weight[own] = table.weight[start]
    for part in (vae, unet, text_encoder):
        part.requires_grad_(False)
    table.weight.requires_grad_(True)
    unet.train()
    text_encoder.train()
    optimiser = torch.optim.AdamW([table.weight], lr=learning_rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY)
    before = table.weight.detach().clone()
    others = torch.ones(len(tokenizer), dtype=torch.bool)
    others[own] = False
    side = unet.config.sample_size * pipeline.vae_scale_factor
    texts = [each.format(name=word) for each in templates]
    loader = DataLoader(WordFiles(files, tokenizer, texts, side), batch_size=batch_size, shuffle=True)
    done = 0
    while done < steps:
        for batch in loader:
            latents = vae.encode(batch["pixel_values"]).latent_dist.sample().detach() * vae.config.scaling_factor
            noise = torch.randn_like(latents)
            times = torch.randint(scheduler.config.num_train_timesteps, (len(latents),))
            noisy = scheduler.add_noise(latents, noise, times)
            shown = text_encoder(batch["input_ids"])[0]
            predicted = unet(noisy, times, encoder_hidden_states=shown).sample
            velocity = scheduler.config.prediction_type == "v_prediction"
            target = scheduler.get_velocity(latents, noise, times) if velocity else noise
            functional.mse_loss(predicted.float(), target.float()).backward()
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                table.weight[others] = before[others]
            done += 1
            if done == steps:
                break
    return table.weight[own].detach().clone()[None]
