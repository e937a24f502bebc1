"""Models as artifacts: CLIP, diffusion pipelines and classifiers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from retrieval_vs_diffusion.catalog.atomic import replacing

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.diffusion import Diffusion


class ClipDataset(AbstractDataset[Any, Any]):
    """An open_clip model: a local folder, or a name and tag.

    Args:
        filepath: a folder with ``open_clip_config.json``, weights and tokenizer, or a model's name.
        checkpoint: with a name: the pretrained tag or a safetensors file.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, checkpoint: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._model = filepath
        self._checkpoint = checkpoint
        self.metadata = metadata

    def load(self) -> Clip:
        """Load the model to the CPU."""
        from retrieval_vs_diffusion.models.clip import load_clip

        return load_clip(self._model, self._checkpoint)

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
        return self._filepath.is_dir() or self._checkpoint is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._model, "checkpoint": self._checkpoint}


class DiffusionDataset(AbstractDataset[Any, Any]):
    """A Stable Diffusion directory in diffusers' layout.

    Args:
        filepath: the directory.
        precision: in which it is loaded: ``float32``, ``bfloat16`` or ``float16``.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, precision: str = "float32", metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._precision = precision
        self.metadata = metadata

    def load(self) -> Diffusion:
        """Load the pipeline to the CPU."""
        from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion

        return load_diffusion(str(self._filepath), self._precision)

    def save(self, data: Any) -> None:
        """Write a diffusers pipeline in half precision, as safetensors."""
        import copy

        with replacing(self._filepath) as folder:
            half = copy.deepcopy(data)
            for module in (half.unet, half.vae, half.text_encoder):
                module.half()
            half.save_pretrained(folder, safe_serialization=True, variant="fp16")

    def _exists(self) -> bool:
        return (self._filepath / "model_index.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "precision": self._precision}


class ClassifierDataset(AbstractDataset["Classifier", "Classifier"]):
    """A trained classifier in one safetensors file.

    Args:
        filepath: the file.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
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
