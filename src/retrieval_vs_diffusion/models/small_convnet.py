"""Small convolutional networks for images of 16 to 64 pixels, registered with timm by name.

``timm.create_model("small_convnet", ...)`` and open_clip's ``timm_model_name`` find them once this
module is imported. Plain stacks of 3x3 convolutions in the manner of VGG (Simonyan and Zisserman
2015) with batch normalisation; timm's own models shrink such images to nothing in their stems.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from timm.models import register_model
from torch import Tensor, nn

_POOL = 0  # entry of a layer list that halves the image


class SmallConvnet(nn.Module):
    """Stacked 3x3 convolutions, global average pooling and a linear head.

    Args:
        widths: channels of each convolution; 0 stands for a 2x2 max-pooling.
        num_classes: outputs of the head; 0 gives the pooled features.
        in_chans: input channels.
    """

    def __init__(self, widths: tuple[int, ...], num_classes: int = 10, in_chans: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_chans
        for width in widths:
            if width == _POOL:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.num_features = self.head_hidden_size = channels
        self.default_cfg: dict[str, Any] = {"input_size": (in_chans, 16, 16), "pool_size": None}
        self.reset_classifier(num_classes)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new head with ``num_classes`` outputs on; 0 takes it off."""
        del global_pool  # always the average: timm's interface asks for the argument
        self.num_classes = num_classes
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head

    def forward_features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Pooled features."""
        return self.features(images).mean(dim=(2, 3))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits, or features where the head is off."""
        return self.head(self.forward_features(images))


def _create(widths: tuple[int, ...], pretrained: bool, **kwargs: Any) -> SmallConvnet:
    if pretrained:
        raise ValueError("small convnets come without pretrained weights")
    accepted = {key: value for key, value in kwargs.items() if key in {"num_classes", "in_chans"}}
    return SmallConvnet(widths, **accepted)


@register_model
def small_convnet(pretrained: bool = False, **kwargs: Any) -> SmallConvnet:
    """One or two convolutions a scale (0.14 M parameters)."""
    return _create((24, _POOL, 48, 96, _POOL, 96, _POOL), pretrained, **kwargs)


@register_model
def tiny_convnet(pretrained: bool = False, **kwargs: Any) -> SmallConvnet:
    """One convolution a scale: half the work of ``small_convnet`` (0.05 M parameters)."""
    return _create((24, _POOL, 48, _POOL, 96, _POOL), pretrained, **kwargs)


@register_model
def small_convnet_wide(pretrained: bool = False, **kwargs: Any) -> SmallConvnet:
    """Wider and deeper, for judging many looks (0.3 M parameters)."""
    return _create((32, 32, _POOL, 64, 64, _POOL, 128, 128, _POOL), pretrained, **kwargs)
