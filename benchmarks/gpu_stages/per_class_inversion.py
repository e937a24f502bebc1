"""The peer of textual inversion: the loop of diffusers' example ``textual_inversion.py``, one class at a time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.gpu_stages.place import Place


class PerClassInversion:
    """Learns a word of one vector a class, as the example does it with ``--mixed_precision=bf16``.

    Each step decodes its images, encodes them with the autoencoder, encodes its prompts with the text encoder in
    float32 under autocast, and changes the whole table of token embeddings, of which all but the new one are then put
    back.

    Args:
        folder: the model.
        place: where it learns.
        start: the word that each starts from.
        rate: learning rate.
    """

    def __init__(self, folder: Path, place: Place, start: str, rate: float) -> None:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        low = getattr(torch, place.low_precision)
        self._vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=low).to(place.device)
        self._unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=low).to(place.device)
        self._encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).to(place.device)
        self._tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self._noise = DDPMScheduler.from_pretrained(folder / "scheduler")
        for part in (self._vae, self._unet, self._encoder):
            part.requires_grad_(False)
        self._place, self._start, self._rate = place, start, rate

    def learn(self, images: Sequence[bytes], steps: int, batch_size: int) -> Float[Tensor, "1 d"]:
        """The vector of one class's word.

        Args:
            images: encoded, of the class.
            steps: of the optimiser.
            batch_size: images a step.
        """
        word = "<class>"
        self._tokenizer.add_tokens(word)
        number = self._tokenizer.convert_tokens_to_ids(word)
        self._encoder.resize_token_embeddings(len(self._tokenizer), mean_resizing=False)
        table = self._encoder.get_input_embeddings().weight
        table.requires_grad_(True)
        started = self._tokenizer(self._start, add_special_tokens=False).input_ids
        with torch.no_grad():
            table[number] = table[started].mean(dim=0)
        before = table.detach().clone()
        others = torch.arange(len(table), device=table.device) != number
        optimiser = torch.optim.AdamW([table], lr=self._rate)
        side = self._unet.config.sample_size * 8
        data = _Repeated(images, side, self._tokenizer, f"a photo of a {word}", steps * batch_size)
        for batch in DataLoader(data, batch_size=batch_size, shuffle=True):
            self._loss(batch).backward()
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                table[others] = before[others]
        return table.detach()[number : number + 1].clone().cpu()

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        device = self._place.device
        with torch.no_grad():
            encoded = self._vae.encode(batch["pixels"].to(device, self._vae.dtype)).latent_dist.sample()
        clean = encoded * self._vae.config.scaling_factor
        noise = torch.randn_like(clean)
        times = torch.randint(self._noise.config.num_train_timesteps, (len(clean),), device=device)
        noisy = self._noise.add_noise(clean, noise, times)
        with torch.autocast(device.type, dtype=self._vae.dtype):
            shown = self._encoder(batch["ids"].to(device))[0].to(self._vae.dtype)
            predicted = self._unet(noisy, times, shown).sample
        return functional.mse_loss(predicted.float(), noise.float())


class _Repeated(Dataset):
    """A class's images again and again, flipped at random, with the prompt that names its word."""

    def __init__(self, images: Sequence[bytes], side: int, tokenizer: Any, prompt: str, length: int) -> None:
        self._images, self._side, self._length = images, side, length
        self._ids = tokenizer(
            prompt, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
        ).input_ids[0]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        with Image.open(io.BytesIO(self._images[number % len(self._images)])) as opened:
            image = opened.convert("RGB").resize((self._side, self._side), Image.Resampling.BICUBIC)
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1
        return {"pixels": pixels, "ids": self._ids}
