"""Pseudo-words as parameters: new rows of a text encoder's token embeddings, learned while the rest stands still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from retrieval_vs_diffusion.models.diffusion import Diffusion


class PseudoWords:
    """The words of all classes in one table (Gal et al. 2022; arXiv 2208.01618).

    The words are added to the diffusion model's tokenizer and text encoder; every other token embedding
    stays bit-identical.

    Args:
        diffusion: the model that is taught.
        starts: for each pseudo-word the text whose mean token embedding it starts from.
        vectors: token embeddings of each word.
    """

    def __init__(self, diffusion: Diffusion, starts: Mapping[str, str], vectors: int) -> None:
        self._pipeline, self._device = diffusion.pipeline, diffusion.device
        self._encoder = self._pipeline.text_encoder
        diffusion.add_words({word: _start(self._pipeline, text, vectors) for word, text in starts.items()})
        self._encoder.requires_grad_(False)
        tokens = _token_ids(self._pipeline.tokenizer, list(starts), vectors)
        self._words, self._vectors = list(starts), vectors
        self._rows = torch.tensor([token for ids in tokens for token in ids], device=self._device)
        self._frozen = self._encoder.get_input_embeddings().weight.detach().clone()
        self.parameter = torch.nn.Parameter(self._frozen[self._rows].float())

    def encode(self, ids: Int[Tensor, "n l"]) -> Float[Tensor, "n l d"]:
        """The text encoder's output for token ids, with gradient to the words."""
        own = self._encoder.get_input_embeddings().weight
        name = next(key for key, value in self._encoder.named_parameters() if value is own)
        table = self._frozen.index_copy(0, self._rows, self.parameter.to(self._frozen))
        return torch.func.functional_call(self._encoder, {name: table}, (ids.to(self._device),)).last_hidden_state

    def tokenize(self, texts: Sequence[str]) -> Int[Tensor, "n l"]:
        """Token ids of texts that may hold the words, padded to the encoder's length."""
        whole = [self._pipeline.maybe_convert_prompt(text, self._pipeline.tokenizer) for text in texts]
        padding = {"padding": "max_length", "truncation": True}
        length = self._pipeline.tokenizer.model_max_length
        return self._pipeline.tokenizer(whole, return_tensors="pt", max_length=length, **padding).input_ids

    def learned(self) -> dict[str, Float[Tensor, "v d"]]:
        """The vectors of each word as they are now."""
        vectors = self.parameter.detach().cpu().view(len(self._words), self._vectors, -1)
        return dict(zip(self._words, vectors.clone().unbind(), strict=True))


def _start(pipeline: Any, text: str, vectors: int) -> Float[Tensor, "v d"]:
    """The mean token embedding of a text, repeated; of all tokens where the text has none."""
    ids = pipeline.tokenizer(text, add_special_tokens=False).input_ids
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    return table[ids or slice(None)].mean(dim=0, keepdim=True).repeat(vectors, 1)


def _token_ids(tokenizer: Any, words: Sequence[str], vectors: int) -> list[list[int]]:
    """Ids of each word's tokens; diffusers calls the further ones of <w> <w>_1, <w>_2 and so on."""
    names = [[word, *(f"{word}_{number}" for number in range(1, vectors))] for word in words]
    return [tokenizer.convert_tokens_to_ids(tokens) for tokens in names]
