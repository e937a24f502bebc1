"""A diffusion model in one .safetensors file, in the layout of the code that it was trained with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_families.clip_vocabulary import clip_tokenizer

_LACKS = "it lacks tensors of that model"


@dataclass(frozen=True)
class SingleFile:
    """What a file does not say: the shapes of its model's parts.

    diffusers would fetch them from the hub; with all of them given it fetches nothing.

    Args:
        name: of the model, as people call it.
        unet: configuration of the denoiser.
        vae: of the autoencoder.
        text_encoders: class in transformers and configuration of each, by the part's name.
        padding: of each tokenizer by the part's name: the token that fills up short prompts.
        scheduler: class in diffusers and configuration.
        arguments: further ones of ``model_index.json``.
    """

    name: str
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoders: Mapping[str, tuple[str, Mapping[str, Any]]]
    padding: Mapping[str, str]
    scheduler: tuple[str, Mapping[str, Any]]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def load(self, path: Path, pipeline: str, dtype: torch.dtype, **arguments: Any) -> Any:
        """Load the pipeline to the CPU; where the file has averaged weights beside the last ones, those.

        Args:
            path: of a file whose header was read.
            pipeline: its class in diffusers.
            dtype: of its weights.
            arguments: further ones of ``from_single_file``.

        Raises:
            UserError: if a tensor is of another shape than this model's, or is not there.
        """
        import diffusers
        from diffusers.loaders.single_file_utils import SingleFileComponentError

        scheduler, settings = self.scheduler
        made = {name: clip_tokenizer(pad) for name, pad in self.padding.items()}
        made["scheduler"] = getattr(diffusers, scheduler)(**settings)
        with TemporaryDirectory() as folder:
            self._write(Path(folder), pipeline)
            try:
                loaded = getattr(diffusers, pipeline).from_single_file(
                    os.fspath(path),
                    config=folder,
                    torch_dtype=dtype,
                    local_files_only=True,
                    extract_ema=True,
                    **made,
                    **arguments,
                )
            except (ValueError, KeyError, RuntimeError, OSError, SingleFileComponentError) as error:
                raise self._refusal(path, _line(error)) from error
        for name, part in loaded.components.items():
            # What the file does not fill has no memory; diffusers says nothing of it.
            if isinstance(part, torch.nn.Module) and any(each.is_meta for each in part.parameters()):
                raise self._refusal(path, f"{_LACKS}: {name}")
        return loaded

    def _refusal(self, path: Path, reason: str) -> UserError:
        return UserError(f"diffusion.path: {path} is no {self.name} ({reason}); bring its directory")

    def _write(self, folder: Path, pipeline: str) -> None:
        """The configurations as a directory in diffusers' layout, without weights."""
        classes = {
            "unet": ("diffusers", "UNet2DConditionModel"),
            "vae": ("diffusers", "AutoencoderKL"),
            "scheduler": ("diffusers", self.scheduler[0]),
            **{name: ("transformers", "CLIPTokenizer") for name in self.padding},
            **{name: ("transformers", kind) for name, (kind, _) in self.text_encoders.items()},
        }
        shapes = {"unet": self.unet, "vae": self.vae, **{name: each for name, (_, each) in self.text_encoders.items()}}
        for name, shape in shapes.items():
            (folder / name).mkdir()
            (folder / name / "config.json").write_text(json.dumps(dict(shape)))
        index = {"_class_name": pipeline, **classes, **self.arguments}
        (folder / "model_index.json").write_text(json.dumps(index))


def _line(error: Exception) -> str:
    if "meta tensor" in str(error):  # what the file does not fill has no memory, and cannot be moved
        return _LACKS
    return " ".join(str(error).split())[:150]
