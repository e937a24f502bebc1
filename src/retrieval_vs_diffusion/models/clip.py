"""CLIP image and text towers through open_clip: any of its models by name, tag or local folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the base world's image tower)
from retrieval_vs_diffusion.progress import progress

_PARTS = ("open_clip_config.json", "open_clip_model.safetensors")


class Clip:
    """A CLIP model (Radford et al. 2021) with its tokenizer and its pixel normalisation.

    Args:
        model: an open_clip model.
        tokenizer: maps a list of texts to token ids [n, context].
        name: what the embeddings are labelled with; embeddings of different names do not mix.
        device: where it runs.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, device: torch.device) -> None:
        self.model = model.eval().to(device)
        self.tokenizer = tokenizer
        self.name = name
        self.device = device
        size = model.visual.image_size
        self.image_size = size[0] if isinstance(size, (tuple, list)) else size
        visual = model.visual
        self._mean = torch.tensor(visual.image_mean or (0.5,) * 3, device=device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(visual.image_std or (0.5,) * 3, device=device).view(1, 3, 1, 1)

    def to(self, device: torch.device) -> Clip:
        """The same model on another device."""
        return Clip(self.model, self.tokenizer, self.name, device)

    def preprocess(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float[torch.Tensor, "n 3 s s"]:
        """Resize the short side, crop the centre, normalise."""
        images = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2).float() / 255
        height, width = images.shape[-2:]
        if (height, width) != (self.image_size, self.image_size):
            scale = self.image_size / min(height, width)
            size = (max(self.image_size, round(height * scale)), max(self.image_size, round(width * scale)))
            images = functional.interpolate(images, size=size, mode="bicubic", antialias=True).clamp(0, 1)
            top, left = (size[0] - self.image_size) // 2, (size[1] - self.image_size) // 2
            images = images[..., top : top + self.image_size, left : left + self.image_size]
        return (images - self._mean) / self._deviation

    @torch.inference_mode()
    def embed_images(self, pixels: UInt8[np.ndarray, "n h w 3"], batch_size: int = 256) -> Float[np.ndarray, "n d"]:
        """Unit-length image embeddings."""
        starts = range(0, len(pixels), batch_size)
        parts = [
            self.model.encode_image(self.preprocess(pixels[start : start + batch_size]), normalize=True)
            for start in progress(starts, "embedding images (batches)")
        ]
        return torch.cat(parts).float().cpu().numpy()

    def embed_table(self, images: ImageTable) -> Float[np.ndarray, "n d"]:
        """Unit-length embeddings of a table's images, which may be of any size."""
        if not len(images):
            return self.embed_texts(["nothing"])[:0]
        squares = [square(codec.decode(data), self.image_size) for data in images.encoded()]
        return self.embed_images(np.stack(squares))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str], batch_size: int = 256) -> Float[np.ndarray, "n d"]:
        """Unit-length text embeddings."""
        parts = [
            self.model.encode_text(
                self.tokenizer(list(texts[start : start + batch_size])).to(self.device), normalize=True
            )
            for start in range(0, len(texts), batch_size)
        ]
        return torch.cat(parts).float().cpu().numpy()


def load_clip(model: str, checkpoint: str | None = None) -> Clip:
    """Load CLIP to the CPU from a local open_clip folder, or one of open_clip's models by name and tag.

    Args:
        model: a folder with ``open_clip_config.json`` and ``open_clip_model.safetensors``, or a model
            name such as ``ViT-B-32``.
        checkpoint: with a model name: its pretrained tag or a local safetensors file.

    Raises:
        UserError: if the folder lacks a part, or the name or tag is unknown.
    """
    import open_clip

    if Path(model).is_dir():
        for part in _PARTS:
            if not (Path(model) / part).is_file():
                raise UserError(f"CLIP folder {model} lacks {part}; a whole one holds {' and '.join(_PARTS)}")
        described = _text_configuration(Path(model))
        own_tokenizer = described.get("hf_tokenizer_name") and not (Path(model) / "vocab.json").is_file()
        if own_tokenizer and not (Path(model) / "tokenizer.json").is_file():
            raise UserError(f"CLIP folder {model} lacks tokenizer.json, though its configuration names a tokenizer")
        address = f"local-dir:{model}"
        network = open_clip.create_model(address)
        return Clip(network, open_clip.get_tokenizer(address), _name_of(Path(model)), torch.device("cpu"))
    if "/" in model:
        raise UserError(f"clip.model: there is no folder {model}; give a folder or a name such as ViT-B-32")
    if model not in open_clip.list_models():
        raise UserError(f'clip.model: open_clip has no "{model}"; {did_you_mean(model, open_clip.list_models())}')
    tags = open_clip.list_pretrained_tags_by_model(model)
    if checkpoint is None or (checkpoint not in tags and not Path(checkpoint).is_file()):
        raise UserError(
            f'clip.checkpoint: found "{checkpoint}"; {model} takes a local file or one of {", ".join(tags)}'
        )
    if checkpoint not in tags and not checkpoint.endswith(".safetensors"):
        raise UserError(f"clip.checkpoint: {checkpoint} is no .safetensors file; other formats can run code when read")
    network = open_clip.create_model(model, pretrained=checkpoint)
    return Clip(network, open_clip.get_tokenizer(model), f"{model}/{checkpoint}", torch.device("cpu"))


def _text_configuration(folder: Path) -> dict[str, Any]:
    """The part of an open_clip configuration that describes the text tower."""
    try:
        return dict(json.loads((folder / _PARTS[0]).read_text())["model_cfg"]["text_cfg"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"CLIP folder {folder}: {_PARTS[0]} is no open_clip configuration ({error!r})") from error


def _name_of(folder: Path) -> str:
    """Name of a local model: its folder and a hash of its weights, so that embeddings of another one do not mix in."""
    with (folder / _PARTS[1]).open("rb") as file:
        return f"{folder.name}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"
