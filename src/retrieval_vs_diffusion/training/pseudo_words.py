"""Learning pseudo-words for a diffusion model's text encoder, those of all classes together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.progress import progress

_REPORT_EVERY = 25  # steps over which a reported loss is averaged


@dataclass(frozen=True)
class WordTraining:
    """How pseudo-words are optimised: vectors a word, AdamW steps, learning rate, images a step."""

    vectors: int
    steps: int
    learning_rate: float
    batch_size: int


def learn_words(
    diffusion: Diffusion,
    originals: ImageTable,
    words_of: Mapping[str, str],
    texts: Sequence[Sequence[str]],
    training: WordTraining,
    seed: int,
) -> tuple[dict[str, Float[Tensor, "v d"]], list[tuple[int, float]]]:
    """Optimise the words' token embeddings on the denoising loss (Gal et al. 2022; arXiv 2208.01618).

    One embedding table holds the words of all classes, and a batch mixes classes: a step moves the
    words whose images it holds. Latents of the originals are computed once. The diffusion model is
    given the words; every other token embedding stays bit-identical.

    Args:
        words_of: pseudo-word of each class name, in the order of the labels.
        texts: for each template the prompt of each class, pseudo-word filled in.

    Returns:
        Vectors of each word, and (step, mean loss since the last report) pairs.
    """
    from diffusers import DDPMScheduler

    pipeline, device = diffusion.pipeline, diffusion.device
    encoder = pipeline.text_encoder
    # The noise schedule of the model's training; the pipeline may hold another scheduler, for sampling.
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    diffusion.add_words({word: _vectors_of_name(pipeline, name, training.vectors) for name, word in words_of.items()})
    for module in (encoder, pipeline.unet, pipeline.vae):
        module.requires_grad_(False).eval()
    tokens = _token_ids(pipeline.tokenizer, words_of.values(), training.vectors)
    rows = torch.tensor([token for ids in tokens.values() for token in ids], device=device)
    frozen = encoder.get_input_embeddings().weight.detach().clone()
    learned = torch.nn.Parameter(frozen[rows].float())
    ids = torch.stack([_tokenize(pipeline, prompts) for prompts in texts]).to(device)
    latents, labels = _latents(pipeline, originals, device), torch.from_numpy(originals.labels()).to(device)
    optimiser = torch.optim.AdamW([learned], lr=training.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    losses: list[tuple[int, float]] = []
    running = 0.0
    for step in progress(range(1, training.steps + 1), "learning pseudo-words"):
        chosen = torch.randint(len(latents), (training.batch_size,), generator=generator).to(device)
        template = torch.randint(len(ids), (training.batch_size,), generator=generator).to(device)
        hidden = _hidden_states(encoder, ids[template, labels[chosen]], frozen.index_copy(0, rows, learned.to(frozen)))
        loss = _denoising_loss(pipeline.unet, scheduler, latents[chosen], hidden, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        running += loss.item()
        if step % _REPORT_EVERY == 0:
            losses.append((step, running / _REPORT_EVERY))
            running = 0.0
    with torch.no_grad():
        encoder.get_input_embeddings().weight[rows] = learned.to(frozen)
    vectors = learned.detach().cpu().view(len(tokens), training.vectors, -1)
    return dict(zip(tokens, vectors.unbind(), strict=True)), losses


def _vectors_of_name(pipeline: Any, name: str, vectors: int) -> Float[Tensor, "v d"]:
    """Where a word starts: the mean token embedding of the class's name, repeated."""
    ids = pipeline.tokenizer(name, add_special_tokens=False).input_ids
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    return table[ids].mean(dim=0, keepdim=True).repeat(vectors, 1)


def _token_ids(tokenizer: Any, words: Iterable[str], vectors: int) -> dict[str, list[int]]:
    """Ids of each word's tokens; diffusers calls the further ones of <w> <w>_1, <w>_2 and so on."""
    names = {word: [word, *(f"{word}_{number}" for number in range(1, vectors))] for word in words}
    return {word: tokenizer.convert_tokens_to_ids(tokens) for word, tokens in names.items()}


def _tokenize(pipeline: Any, texts: Sequence[str]) -> Int[Tensor, "n l"]:
    whole = [pipeline.maybe_convert_prompt(text, pipeline.tokenizer) for text in texts]
    padding = {"padding": "max_length", "truncation": True, "max_length": pipeline.tokenizer.model_max_length}
    return pipeline.tokenizer(whole, return_tensors="pt", **padding).input_ids


def _hidden_states(encoder: Any, ids: Int[Tensor, "n l"], table: Float[Tensor, "v d"]) -> Float[Tensor, "n l d"]:
    """Run the text encoder with another token embedding table."""
    own = encoder.get_input_embeddings().weight
    name = next(key for key, value in encoder.named_parameters() if value is own)
    return torch.func.functional_call(encoder, {name: table}, (ids,)).last_hidden_state


def _denoising_loss(
    unet: Any, scheduler: Any, clean: Float[Tensor, "n c h w"], hidden: Tensor, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Squared error of the UNet's prediction, for the kind of prediction that the scheduler declares."""
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    times = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), generator=generator).to(clean.device)
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(clean, noise, times) if velocity else noise
    predicted = unet(scheduler.add_noise(clean, noise, times), times, encoder_hidden_states=hidden).sample
    return functional.mse_loss(predicted.float(), target.float())


@torch.no_grad()
def _latents(pipeline: Any, originals: ImageTable, device: torch.device) -> Float[Tensor, "n c h w"]:
    pixels = torch.from_numpy(originals.pixels()).permute(0, 3, 1, 2).float() / 127.5 - 1
    vae = pipeline.vae
    parts = [vae.encode(batch.to(device, vae.dtype)).latent_dist.mean for batch in pixels.split(64)]
    return torch.cat(parts) * vae.config.scaling_factor
