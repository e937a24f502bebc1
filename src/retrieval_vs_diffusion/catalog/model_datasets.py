"""Models as artifacts: CLIP, diffusion pipelines and classifiers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from retrieval_vs_diffusion.atomic import replacing
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.clip_folder import HUB, check_clip
from retrieval_vs_diffusion.models.diffusion_layout import check_layout
from retrieval_vs_diffusion.remote.remote_path import as_path

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.diffusion import Diffusion


class ClipDataset(AbstractDataset[Any, Any]):
    """An open_clip model: a local folder, a name and its weights, or a hub address.

    Args:
        model: a folder with ``open_clip_config.json``, weights and tokenizer, one of open_clip's names, or
            ``hf-hub:<repository>``. Kedro takes what is called ``filepath`` for a path, names too.
        checkpoint: with a name: the pretrained tag or a safetensors file.
        precision: in which it runs: ``float32``, ``bfloat16`` or ``float16``.
        channels_last: how it holds pixels, where its image tower is convolutional.
        filepath: in place of ``model``: a folder, which may be written.
        metadata: for Kedro's plugins.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        checkpoint: str | None = None,
        precision: str = "float32",
        channels_last: bool = False,
        filepath: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if (model is None) == (filepath is None):
            raise UserError(
                "clip.model: is not given; a folder, a name such as ViT-B-32 or hf-hub:<repository> will do"
            )
        self._model = str(model or filepath)
        self._filepath = as_path(self._model)
        self._checkpoint = checkpoint
        self._precision, self._channels_last = precision, channels_last
        self.metadata = metadata

    def check(self) -> None:
        """Refuse what will not do, before a run begins."""
        check_clip(self._model, self._checkpoint)

    def load(self) -> Clip:
        """Load the model to the CPU."""
        from retrieval_vs_diffusion.models.clip import load_clip

        return load_clip(self._model, self._checkpoint).running_in(self._precision, self._channels_last)

    def save(self, data: dict[str, Any]) -> None:
        """Write a trained model: ``model``, ``configuration`` and ``tokenizer``, in half precision."""
        from safetensors.torch import save_file

        preprocessing = {"mean": list(data["model"].visual.image_mean), "std": list(data["model"].visual.image_std)}
        with replacing(self._filepath) as folder:
            folder.mkdir()
            weights = {key: _half(value) for key, value in data["model"].state_dict().items()}
            save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
            described = {"model_cfg": data["configuration"], "preprocess_cfg": preprocessing}
            (folder / "open_clip_config.json").write_text(json.dumps(described, indent=2))
            data["tokenizer"].save_pretrained(folder)

    def _exists(self) -> bool:
        return self._filepath.is_dir() or self._checkpoint is not None or self._model.startswith(HUB)

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._model,
            "checkpoint": self._checkpoint,
            "precision": self._precision,
            "channels_last": self._channels_last,
        }


class DiffusionDataset(AbstractDataset[Any, Any]):
    """A diffusion model: a directory in diffusers' layout or one .safetensors file.

    Args:
        filepath: the directory or the file; None for a world without a diffusion model.
        precision: in which it is loaded: ``float32``, ``bfloat16`` or ``float16``.
        attention_slicing: less memory, slower.
        offload: what a GPU holds at a time: ``model`` or ``sequential``; None for everything.
        channels_last: channels innermost, which half precision on a GPU is faster at.
        compile: a mode of torch.compile that the denoiser is compiled with; None for not.
        metadata: for Kedro's plugins.
    """

    def __init__(
        self,
        *,
        filepath: str | None,
        precision: str = "float32",
        attention_slicing: bool = False,
        offload: str | None = None,
        channels_last: bool = False,
        compile: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = as_path(filepath) if filepath is not None else None
        self._how: dict[str, Any] = {
            "precision": precision,
            "attention_slicing": attention_slicing,
            "offload": offload,
            "channels_last": bool(channels_last),
            "compile": compile,
        }
        self.metadata = metadata

    def check(self) -> None:
        """Refuse what will not do, before a run begins."""
        if self._filepath is not None:
            check_layout(self._filepath)

    def load(self) -> Diffusion:
        """Load the pipeline to the CPU."""
        from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion

        path = str(self._filepath) if self._filepath is not None else None
        return load_diffusion(path, **self._how)

    def save(self, data: Any) -> None:
        """Write a diffusers pipeline in half precision, as safetensors."""
        import copy

        if self._filepath is None:
            raise UserError("diffusion.path: is not given; the folder to write the model to will do")
        with replacing(self._filepath) as folder:
            half = copy.deepcopy(data)
            for module in (half.unet, half.vae, half.text_encoder):
                module.half()
            half.save_pretrained(folder, safe_serialization=True, variant="fp16")

    def _exists(self) -> bool:
        path = self._filepath
        return path is not None and (path.is_file() or (path / "model_index.json").is_file())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath) if self._filepath is not None else None, **self._how}


class ClassifierDataset(AbstractDataset["Classifier", "Classifier"]):
    """A trained classifier in one safetensors file.

    Args:
        filepath: the file.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = as_path(filepath)
        self.metadata = metadata

    def load(self) -> Classifier:
        """Read weights, model name and class names."""
        from retrieval_vs_diffusion.models.classifier import Classifier

        if not self._filepath.is_file():
            raise DatasetError(f"there is no classifier {self._filepath}")
        return Classifier.load(self._filepath)

    def save(self, data: Classifier) -> None:
        """Write weights, model name and class names."""
        with replacing(self._filepath) as partial:
            data.save(partial)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _half(tensor: Any) -> Any:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
