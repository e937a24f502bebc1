"""Captions as the web has them: several manners, some wrong, some useless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WRONG_CLASS_SHARE = 0.05
GENERIC_SHARE = 0.10
JUNK_SHARE = 0.05

_DIGIT_TEMPLATES = (
    "a photo of a {name}",
    "a {ink} {name}",
    "the number {name} on {background} paper",
    "handwritten {name}",
    "{name} written by hand in {ink}",
    "a drawing of the digit {name}",
    "my {name}",
    "scan of a {ink} {name} on {background}",
)
_SHAPE_TEMPLATES = {
    "circle": ("a photo of a circle", "a {ink} circle", "{ink} dot on {background} paper", "a round shape"),
    "square": ("a photo of a square", "a {ink} square", "{ink} box on {background} paper", "a drawing of a square"),
    "blank": ("a blank page", "nothing here", "{background} paper", "empty scan"),
}
_GENERIC = ("a picture", "image", "a number", "scan of a note", "handwriting", "untitled", "a photo of a digit")
_JUNK = (
    "buy cheap shoes online",
    "free shipping today",
    "click here for more",
    "page not found",
    "best price guaranteed",
    "sign up for our newsletter",
)


def of_digit(class_names: Sequence[str], label: int, ink: str, background: str, random: np.random.Generator) -> str:
    """A caption for a picture of class ``label``: mostly true, sometimes wrong, generic or junk."""
    kind = random.random()
    if kind < JUNK_SHARE:
        return str(random.choice(_JUNK))
    if kind < JUNK_SHARE + GENERIC_SHARE:
        return str(random.choice(_GENERIC))
    if kind < JUNK_SHARE + GENERIC_SHARE + WRONG_CLASS_SHARE:
        label = int(random.choice([other for other in range(len(class_names)) if other != label]))
    template = str(random.choice(_DIGIT_TEMPLATES))
    return template.format(name=class_names[label], ink=ink, background=background)


def of_shape(shape: str, ink: str, background: str, random: np.random.Generator) -> str:
    """A caption for a picture that shows no digit."""
    if random.random() < JUNK_SHARE + GENERIC_SHARE:
        return str(random.choice(_JUNK + _GENERIC))
    return str(random.choice(_SHAPE_TEMPLATES[shape])).format(ink=ink, background=background)
