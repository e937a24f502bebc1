"""Image classifiers: any timm model by name, saved as safetensors with what it takes to use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from torch import Tensor, nn

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the base world's models)
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.out_of_memory import SmallerBatches
from retrieval_vs_diffusion.models.pickles import refuse_pickle
from retrieval_vs_diffusion.remote.remote_path import as_path

MEAN, DEVIATION = 0.5, 0.25  # of pixel values in [0, 1]; one pair for all channels
_TOWER = "visual.trunk."  # where open_clip keeps the weights of a timm image tower


@dataclass(frozen=True)
class Classifier:
    """A trained network with the names of its classes.

    Args:
        network: a timm model in evaluation mode, on the CPU; a linear layer where it reads embeddings.
        model: its name in timm, or ``linear``.
        class_names: what its outputs stand for.
        image_size: pixels a side of the images that it was trained on.
        clip_name: name of the CLIP model whose image embeddings it reads; None where it reads pixels.
    """

    network: nn.Module
    model: str
    class_names: tuple[str, ...]
    image_size: int
    clip_name: str | None = None

    @property
    def features(self) -> Literal["pixels", "clip"]:
        """What its network reads."""
        return "pixels" if self.clip_name is None else "clip"

    @torch.inference_mode()
    def probabilities(
        self,
        pixels: UInt8[np.ndarray, "n h w 3"],
        device: torch.device,
        batch_size: int = 256,
        clip: Clip | None = None,
    ) -> Float[np.ndarray, "n c"]:
        """Class probabilities of each image.

        Args:
            pixels: images of 0 to 255.
            device: where the network runs.
            batch_size: images computed together.
            clip: embeds the images, where the classifier reads embeddings.

        Raises:
            UserError: if it reads the embeddings of another CLIP model than the one given, or its numbers are not
                finite: the most probable class of NaN would be the first one.
        """
        network = self.network.to(device).eval()
        if self.clip_name is None:
            in_batches = SmallerBatches("images of the classifier's", "device: cpu would do")

            def classify(positions: list[int]) -> Float[np.ndarray, "m c"]:
                batch = torch.from_numpy(np.ascontiguousarray(pixels[positions[0] : positions[-1] + 1]))
                return network(to_input(batch.to(device))).softmax(dim=1).cpu().numpy()

            starts = range(0, len(pixels), batch_size)
            batches = [list(range(start, min(start + batch_size, len(pixels)))) for start in starts]
            parts = [in_batches(classify, batch, batch_size) for batch in batches]
        else:
            embeddings = torch.from_numpy(self._right_clip(clip).embed_images(pixels, batch_size))
            parts = [network(embeddings.to(device)).softmax(dim=1).cpu().numpy()]
        self.network.cpu()
        probabilities = np.concatenate(parts)
        if broken := int((~np.isfinite(probabilities)).any(axis=1).sum()):
            raise UserError(
                f"the classifier ({self.model}) gives no finite numbers for {broken} of {len(pixels)} images; "
                "its weights are broken: train it again, or bring them again"
            )
        return probabilities

    def _right_clip(self, clip: Clip | None) -> Clip:
        if clip is None or clip.name != self.clip_name:
            found = "none" if clip is None else f'"{clip.name}"'
            raise UserError(
                f'this classifier reads embeddings of the CLIP model "{self.clip_name}", found {found}; '
                "give it that model, or fit it again"
            )
        return clip

    def save(self, path: Path) -> None:
        """Write weights and description to one safetensors file."""
        from safetensors.torch import save_file

        description = {
            "model": self.model,
            "class_names": list(self.class_names),
            "image_size": self.image_size,
            "features": self.features,
            "clip_name": self.clip_name,
            "preprocessing": self._preprocessing(),
        }
        weights = {key: value.contiguous() for key, value in self.network.state_dict().items()}
        save_file(weights, path, metadata={"classifier": json.dumps(description)})

    def _preprocessing(self) -> dict[str, Any]:
        """What becomes of an image before the network sees it, for who uses the file without this package."""
        size = self.image_size
        if self.clip_name is None:
            then: dict[str, Any] = {"mean": [MEAN] * 3, "standard_deviation": [DEVIATION] * 3}
            steps = "divide by 255, subtract the mean, divide by the standard deviation"
        else:
            then = {"clip_name": self.clip_name}
            steps = "the unit-length image embedding of that CLIP model, with its own mean and standard deviation"
        cut = f"resize the short side to {size} pixels (bicubic), crop the centre {size} x {size}"
        return {
            "in_words": f"RGB; {cut}; {steps}",
            "short_side": size,
            "interpolation": "bicubic",
            "centre_crop": size,
            "channels": "RGB",
            **then,
        }

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what ``save`` wrote.

        Raises:
            UserError: if the file is no classifier of this project.
        """
        from safetensors import SafetensorError, safe_open

        refuse_pickle(
            path,
            "classifier",
            more="this project saves its classifiers as .safetensors; to start one from these weights "
            "(classifier.init), ",
        )
        try:
            with safe_open(path, framework="pt") as file:
                description = json.loads((file.metadata() or {})["classifier"])
                weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            names, clip_name = tuple(map(str, description["class_names"])), description.get("clip_name")
            image_size = int(description["image_size"])
            if not names or image_size < 1:
                raise ValueError(f"{len(names)} classes, image_size {image_size}")
            if clip_name is None:
                network = create_network(description["model"], len(names))
            else:
                network = nn.Linear(weights["weight"].shape[1], len(names))
            network.load_state_dict(weights)
            return cls(network.eval(), description["model"], names, image_size, clip_name)
        except (SafetensorError, LookupError, OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path} is no classifier as this project saves them: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(repr(error).split())[:200]


def create_network(model: str, classes: int, init: str = "scratch") -> nn.Module:
    """Create a timm model for RGB images.

    Args:
        model: its name in timm.
        classes: number of outputs.
        init: ``scratch``, or a safetensors file whose weights it starts from: of the same timm model,
            or of an open_clip model that has it as its image tower. The head is new where the file
            has none or one of another shape.

    Raises:
        UserError: if timm has no such model, or the file does not fit it.
    """
    import timm

    if not timm.is_model(model):
        raise UserError(f'classifier.model: timm has no "{model}"; {did_you_mean(model, timm.list_models())}')
    network = timm.create_model(model, num_classes=classes, in_chans=3)
    if init != "scratch":
        _start_from(network, as_path(init), model)
    return network


def _start_from(network: nn.Module, path: Path, model: str) -> None:
    if path.is_file():
        refuse_pickle(path, "classifier.init")
    if not path.is_file() or path.suffix != ".safetensors":
        raise UserError(f'classifier.init: found "{path}"; "scratch" or a .safetensors file will do')
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Any] = load_file(path)
    except SafetensorError as error:
        raise UserError(f"classifier.init: {path} cannot be read as safetensors: {error}") from error
    tower = {key.removeprefix(_TOWER): value for key, value in weights.items() if key.startswith(_TOWER)}
    weights = tower or weights
    own = network.state_dict()
    fitting = {key: value for key, value in weights.items() if key in own and own[key].shape == value.shape}
    missing = [key for key in own if key not in fitting and key.split(".")[0] not in {"head", "fc", "classifier"}]
    if missing:
        raise UserError(
            f"classifier.init: {path} does not fit {model}: {len(missing)} weights differ, e.g. {missing[0]}"
        )
    network.load_state_dict(fitting, strict=False)  # half precision becomes the network's own


def to_input(pixels: Real[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Pixels of 0 to 255 as normalised network input."""
    inputs = pixels.permute(0, 3, 1, 2).to(torch.float32, copy=True)
    return inputs.div_(255).sub_(MEAN).div_(DEVIATION)  # in place: at 224 pixels memory is what takes the time
