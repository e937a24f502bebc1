"""CLIP image and text towers through open_clip: any of its models by name, file, folder or hub address."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the base world's image tower)
from retrieval_vs_diffusion.models.clip_folder import HUB, PARTS, WEIGHTS, check_clip, folder_of_hub, text_configuration
from retrieval_vs_diffusion.models.clip_weights import ClipWeights, hash_of, weights_of_file, weights_of_tag
from retrieval_vs_diffusion.models.embedding_ahead import EmbeddingAhead
from retrieval_vs_diffusion.models.open_clip_parts import create, is_another, tokenizer_of
from retrieval_vs_diffusion.models.out_of_memory import SmallerBatches
from retrieval_vs_diffusion.models.safetensors_header import read_header
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.remote.folder_copy import on_disk
from retrieval_vs_diffusion.remote.remote_path import as_path

logger = logging.getLogger(__name__)
_REMEDY = "a smaller clip.model or device: cpu would do"
PRECISIONS = ("float32", "bfloat16", "float16")
_AT_ONCE = 256  # images that are decoded before the model takes them


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
        self._fitting = {what: SmallerBatches(f"{what} of CLIP's", _REMEDY) for what in ("images", "texts")}
        self._told_of_broken = False
        self._dtype = next(visual.parameters()).dtype
        self._deviation = torch.tensor(visual.image_std or (0.5,) * 3, device=device).view(1, 3, 1, 1)

    def to(self, device: torch.device) -> Clip:
        """The same model on another device."""
        return Clip(self.model, self.tokenizer, self.name, device)

    def running_in(self, precision: str, channels_last: bool = False) -> Clip:
        """The same model in another precision, and with the pixels' colours side by side; its name stays.

        Vectors of half precision are at 0.9999 of those of single precision, so that texts embedded in the one find
        images embedded in the other.

        Args:
            precision: ``float32``, ``bfloat16`` or ``float16``; vectors come in single precision in any case.
            channels_last: what cuDNN and oneDNN are fastest with where the image tower is convolutional.
        """
        if precision not in PRECISIONS:
            raise UserError(f'clip.precision: found "{precision}"; {did_you_mean(precision, PRECISIONS)}')
        if precision != "float32":
            self.model.to(getattr(torch, precision))
        if channels_last:
            self.model.visual.to(memory_format=torch.channels_last)
        return Clip(self.model, self.tokenizer, self.name, self.device)

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

    def embed_images(self, pixels: UInt8[np.ndarray, "n h w 3"], batch_size: int = 256) -> Float[np.ndarray, "n d"]:
        """Unit-length image embeddings; zeros for an image of which the model makes no finite numbers."""

        def embed(positions: list[int]) -> Float[np.ndarray, "m d"]:
            return self.encode(pixels[positions[0] : positions[-1] + 1])

        return self.checked(self._in_batches(embed, len(pixels), batch_size, "images"))

    @torch.inference_mode()
    def encode(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n d"]:
        """What the model makes of one batch of images; several threads may ask at a time."""
        ready = self.preprocess(pixels).to(self._dtype)
        return self.model.encode_image(ready, normalize=True).float().cpu().numpy()

    def checked(self, made: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Embeddings of images at unit length, zeros in the place of those that are not finite, which is told once."""
        vectors, broken = unit_vectors(made)
        if broken and not self._told_of_broken:
            self._told_of_broken = True
            logger.warning(
                "CLIP %s makes no finite numbers of %d of %d images, which no search will find; where there are more "
                "of them, this is not told again",
                self.name,
                broken,
                len(vectors),
            )
        return vectors

    def embed_table(self, images: ImageTable) -> Float[np.ndarray, "n d"]:
        """Unit-length embeddings of a table's images, which may be of any size; each is decoded when its turn comes.

        Raises:
            BrokenImageError: if an image cannot be decoded.
        """
        if not len(images):
            return self.embed_texts(["nothing"])[:0]
        with EmbeddingAhead(images, self, _AT_ONCE) as ahead:
            starts = progress(range(0, len(images), _AT_ONCE), "embedding images (batches)")
            return np.concatenate([ahead.vectors(start) for start in starts])

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str], batch_size: int = 256) -> Float[np.ndarray, "n d"]:
        """Unit-length text embeddings.

        Raises:
            UserError: if the model makes no finite numbers of a text: nothing could be searched with it.
        """

        def embed(positions: list[int]) -> Float[np.ndarray, "m d"]:
            tokens = self.tokenizer([texts[position] for position in positions]).to(self.device)
            return self.model.encode_text(tokens, normalize=True).float().cpu().numpy()

        vectors, broken = unit_vectors(self._in_batches(embed, len(texts), batch_size, "texts"))
        if broken:
            first = texts[int(np.flatnonzero(~vectors.any(axis=1))[0])]
            raise UserError(
                f"clip.model: {self.name} makes no finite numbers of {broken} of {len(texts)} texts, "
                f'e.g. of "{first}"; its weights are broken: bring them again'
            )
        return vectors

    def _in_batches(
        self, embed: Callable[[list[int]], np.ndarray], n: int, batch_size: int, what: Literal["images", "texts"]
    ) -> Float[np.ndarray, "n d"]:
        """All of them, batch by batch; where a GPU's memory ends, in smaller batches from there on."""
        starts: Iterable[int] = range(0, n, batch_size)
        if what == "images":
            starts = progress(starts, "embedding images (batches)")
        made = [
            self._fitting[what](embed, list(range(start, min(start + batch_size, n))), batch_size) for start in starts
        ]
        return np.concatenate(made)


def load_clip(model: str, checkpoint: str | None = None) -> Clip:
    """Load CLIP to the CPU, from safetensors alone.

    Args:
        model: a folder with ``open_clip_config.json`` and ``open_clip_model.safetensors``, a hub address such as
            ``hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K``, or one of open_clip's names such as ``ViT-B-32``.
        checkpoint: with a name: its pretrained tag or a local safetensors file. A file of OpenAI's, MetaCLIP's or
            DFN's weights needs a name that ends in ``-quickgelu``; a tag does not.

    Raises:
        UserError: if the folder lacks a part, the name or tag is unknown, the weights cannot be fetched, are cut off,
            or are another model's.
    """
    import open_clip

    check_clip(model, checkpoint)
    if as_path(model).is_dir() or model.startswith(HUB):
        return _load_folder(model)
    if model not in open_clip.list_models():
        raise UserError(f'clip.model: open_clip has no "{model}"; {did_you_mean(model, open_clip.list_models())}')
    weights = _find_weights(model, checkpoint)
    where = "clip.checkpoint" if str(weights.file) == checkpoint else "clip.model"
    shapes = read_header(weights.file, where).shapes
    tokenizer = tokenizer_of(model, model, open_clip.get_model_config(model)["text_cfg"])
    network = create(
        model, weights.file, force_quick_gelu=weights.quick_gelu, force_preprocess_cfg=dict(weights.preprocessing)
    )
    for key, value in network.state_dict().items():
        # open_clip stretches position embeddings to another image size or context, and says nothing.
        if re.search(r"pos(itional)?_embed(ding)?$", key) and shapes.get(key, value.shape) != tuple(value.shape):
            raise UserError(is_another(model, weights.file, f"{key} is {list(shapes[key])}, not {list(value.shape)}"))
    return Clip(network, tokenizer, weights.name, torch.device("cpu"))


def _find_weights(model: str, checkpoint: str | None) -> ClipWeights:
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    if checkpoint in tags:
        return weights_of_tag(model, str(checkpoint))
    if checkpoint is None or not as_path(checkpoint).is_file():
        known = (
            f"a local file or one of {', '.join(tags)}" if tags else "a local file; open_clip knows no weights of it"
        )
        raise UserError(f'clip.checkpoint: found "{checkpoint}"; {model} takes {known}')
    return weights_of_file(model, as_path(checkpoint))


def _load_folder(model: str) -> Clip:
    folder = folder_of_hub(model) if model.startswith(HUB) else as_path(model)
    described = text_configuration(folder)
    read_header(folder / WEIGHTS, "clip.model")
    address = f"local-dir:{on_disk(folder, PARTS)}"
    tokenizer = tokenizer_of(address, model, {**described, "hf_tokenizer_name": None})
    network = create(address, folder / WEIGHTS)
    # Named by its weights, so that embeddings of another model in a folder of this name do not mix in.
    name = f"{model if folder != as_path(model) else folder.name}-{hash_of(folder / WEIGHTS)}"
    return Clip(network, tokenizer, name, torch.device("cpu"))
