"""Image classifiers: any timm model by name, saved as safetensors with what it takes to use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from torch import Tensor, nn

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the base world's models)

MEAN, DEVIATION = 0.5, 0.25  # of pixel values in [0, 1]; one pair for all channels


@dataclass(frozen=True)
class Classifier:
    """A trained network with the names of its classes.

    Args:
        network: a timm model in evaluation mode, on the CPU.
        model: its name in timm.
        class_names: what its outputs stand for.
        image_size: pixels a side of the images that it was trained on.
    """

    network: nn.Module
    model: str
    class_names: tuple[str, ...]
    image_size: int

    @torch.inference_mode()
    def probabilities(
        self, pixels: UInt8[np.ndarray, "n h w 3"], device: torch.device, batch_size: int = 256
    ) -> Float[np.ndarray, "n c"]:
        """Class probabilities of each image."""
        network = self.network.to(device).eval()
        batches = torch.from_numpy(np.ascontiguousarray(pixels)).split(batch_size)
        parts = [network(to_input(batch.to(device))).softmax(dim=1).cpu() for batch in batches]
        self.network.cpu()
        return torch.cat(parts).numpy()

    def save(self, path: Path) -> None:
        """Write weights and description to one safetensors file."""
        from safetensors.torch import save_file

        description = json.dumps(
            {"model": self.model, "class_names": list(self.class_names), "image_size": self.image_size}
        )
        weights = {key: value.contiguous() for key, value in self.network.state_dict().items()}
        save_file(weights, path, metadata={"classifier": description})

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what ``save`` wrote.

        Raises:
            UserError: if the file is no classifier of this project.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                description = json.loads((file.metadata() or {})["classifier"])
                weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, OSError, ValueError) as error:
            raise UserError(f"{path} is no classifier as this project saves them: {error!r}") from error
        network = create_network(description["model"], len(description["class_names"]))
        network.load_state_dict(weights)
        names = tuple(description["class_names"])
        return cls(network.eval(), description["model"], names, description["image_size"])


def create_network(model: str, classes: int, init: str = "scratch") -> nn.Module:
    """Create a timm model for RGB images.

    Args:
        model: its name in timm.
        classes: number of outputs.
        init: ``scratch``, or a safetensors file whose weights it starts from; the head is new where
            its shape differs.

    Raises:
        UserError: if timm has no such model, or the file does not fit it.
    """
    import timm

    if not timm.is_model(model):
        raise UserError(f'classifier.model: timm has no "{model}"; {did_you_mean(model, timm.list_models())}')
    network = timm.create_model(model, num_classes=classes, in_chans=3)
    if init != "scratch":
        _start_from(network, Path(init), model)
    return network


def _start_from(network: nn.Module, path: Path, model: str) -> None:
    if not path.is_file() or path.suffix != ".safetensors":
        raise UserError(f'classifier.init: found "{path}"; "scratch" or a .safetensors file will do')
    from safetensors.torch import load_file

    weights: dict[str, Any] = load_file(path)
    own = network.state_dict()
    fitting = {key: value for key, value in weights.items() if key in own and own[key].shape == value.shape}
    missing = [key for key in own if key not in fitting and key.split(".")[0] not in {"head", "fc", "classifier"}]
    if missing:
        raise UserError(
            f"classifier.init: {path} does not fit {model}: {len(missing)} weights differ, e.g. {missing[0]}"
        )
    network.load_state_dict(fitting, strict=False)


def to_input(pixels: Real[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Pixels of 0 to 255 as normalised network input."""
    return (pixels.permute(0, 3, 1, 2).to(torch.float32) / 255 - MEAN) / DEVIATION
