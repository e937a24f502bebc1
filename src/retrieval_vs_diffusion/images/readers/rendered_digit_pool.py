"""The base world's pool: digits drawn in many looks, captioned as carelessly as the web does."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import web_captions
from retrieval_vs_diffusion.images.digit_drawing import CLASS_NAMES, SIZE, Look, draw, finish, load_digit_images
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.seeds import derive_seed

_COLOURS = {
    "red": (0.85, 0.15, 0.15),
    "green": (0.10, 0.60, 0.20),
    "blue": (0.15, 0.25, 0.85),
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}


@part
class RenderedDigitPool:
    """Captioned pictures of the digits before ``target.first_digit``, distractors, and planted leaks.

    Args:
        images: pictures in all.
        distractor_share: share that shows no digit but a circle, a square or nothing.
        planted_leaks: pictures among them that copy a test image: re-encoded, moved, lit otherwise.
        target: the target whose digits stay out of the pool, and whose test images are leaked.
        seed: decides digits, looks and captions.
    """

    images: Annotated[int, Field(ge=1)] = 12_000
    distractor_share: Annotated[float, Field(ge=0, le=1)] = 0.14
    planted_leaks: Annotated[int, Field(ge=0)] = 60
    target: RenderedDigits = field(default_factory=RenderedDigits)
    seed: int = 0

    def read(self) -> ImageTable:
        """Draw the whole pool; rows are in random order.

        Raises:
            UserError: if leaks and distractors leave no room for digits.
        """
        random = np.random.default_rng(derive_seed("pool", self.seed))
        distractors = round(self.images * self.distractor_share)
        if distractors + self.planted_leaks > self.images:
            raise UserError(
                f"pool.reader: images={self.images} is too few for {distractors} distractors "
                f"and {self.planted_leaks} leaks"
            )
        rows = [
            *self._digit_rows(self.images - distractors - self.planted_leaks, random),
            *self._distractor_rows(distractors, random),
            *self._leak_rows(random),
        ]
        return ImageTable.from_rows(rows[index] for index in random.permutation(len(rows)))

    def _digit_rows(self, n: int, random: np.random.Generator) -> list[dict]:
        digits, labels = load_digit_images()
        positions = np.resize(random.permutation(self.target.first_digit), n)
        look, inks, backgrounds = _pool_look(n, random)
        pixels = draw(digits[positions], look, random)
        rows = []
        for index, position in enumerate(positions):
            label = int(labels[position])
            caption = web_captions.of_digit(CLASS_NAMES, label, inks[index], backgrounds[index], random)
            source = f"sklearn.load_digits[{position}]"
            image_id = f"digits/{position}/pool/{self.seed}/{index}"
            rows.append(image_row(pixels[index], image_id, true_label=label, caption=caption, source=source))
        return rows

    def _distractor_rows(self, n: int, random: np.random.Generator) -> list[dict]:
        look, inks, backgrounds = _pool_look(n, random)
        shapes = random.choice(["blank", "circle", "square"], n)
        pixels = finish(_shapes(shapes, look, random), look, random)
        rows = []
        for index, shape in enumerate(shapes):
            caption = web_captions.of_shape(str(shape), inks[index], backgrounds[index], random)
            image_id = f"shapes/{shape}/pool/{self.seed}/{index}"
            rows.append(image_row(pixels[index], image_id, caption=caption, source=f"drawn {shape}"))
        return rows

    def _leak_rows(self, random: np.random.Generator) -> list[dict]:
        test = self.target.read().test
        assert isinstance(test, ImageTable)  # noqa: S101  (the digits are drawn in memory)
        labels, ids, pixels = test.labels(), test.column("image_id"), test.pixels()
        rows = []
        if self.planted_leaks > len(test):
            raise UserError(
                f"pool.reader: planted_leaks={self.planted_leaks}, but only {len(test)} test images can be copied"
            )
        for index, position in enumerate(random.permutation(len(test))[: self.planted_leaks]):
            label = int(labels[position])
            caption = web_captions.of_digit(CLASS_NAMES, label, "black", "white", random)
            copy = _altered_copy(pixels[position], random)
            image_id = f"leak/{self.seed}/{index}"
            leak = {"leak_of": ids[position], "source": "planted copy of a test image"}
            rows.append(image_row(copy, image_id, true_label=label, caption=caption, **leak))
        return rows


def _pool_look(n: int, random: np.random.Generator) -> tuple[Look, list[str], list[str]]:
    """Draw n looks; also the names of ink and background, for the captions."""
    white_background = random.random(n) < 0.5
    backgrounds = np.where(white_background, "white", "black")
    plain = np.where(white_background, "black", "white")
    inks = np.where(random.random(n) < 0.4, plain, random.choice(["red", "green", "blue"], n))
    look = Look(
        rotation=random.uniform(-12, 12, n),
        shear=random.normal(0, 0.12, n),
        scale=random.uniform(0.85, 1.05, n),
        shift=random.uniform(-0.08, 0.08, (n, 2)),
        threshold=random.uniform(0.3, 0.55, n),
        ink=np.array([_COLOURS[ink] for ink in inks]).reshape(n, 3),
        background=np.array([_COLOURS[background] for background in backgrounds]).reshape(n, 3),
        contrast=random.uniform(0.4, 1.0, n),
        blur=random.uniform(0, 1, n),
        gradient=np.zeros((n, 2)),
        noise=0.03,
    )
    return look, inks.tolist(), backgrounds.tolist()


def _shapes(shapes: np.ndarray, look: Look, random: np.random.Generator) -> np.ndarray:
    """Circles, squares and empty pictures [n, 16, 16, 3] in the look's colours, before blur and noise."""
    n = len(shapes)
    axis = np.arange(SIZE) + 0.5
    centre = SIZE / 2 + random.uniform(-2, 2, (n, 2))
    radius = random.uniform(2.5, 6, n)[:, None, None]
    dx, dy = axis[None, None, :] - centre[:, 0, None, None], axis[None, :, None] - centre[:, 1, None, None]
    distance = np.where((shapes == "circle")[:, None, None], np.hypot(dx, dy), np.maximum(np.abs(dx), np.abs(dy)))
    covered = np.clip(radius - distance + 0.5, 0, 1) * (shapes != "blank")[:, None, None]
    ink = look.background + look.contrast[:, None] * (look.ink - look.background)
    background = look.background[:, None, None, :]
    return background + covered[..., None] * (ink[:, None, None, :] - background)


def _altered_copy(pixels: UInt8[np.ndarray, "16 16 3"], random: np.random.Generator) -> UInt8[np.ndarray, "16 16 3"]:
    """A copy as the web makes them: moved by up to a pixel, brightened or darkened, with coding noise."""
    moved = np.roll(np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge"), random.integers(-1, 2, 2), (0, 1))[
        1:-1, 1:-1
    ]
    changed = moved * random.uniform(0.92, 1.0) + random.uniform(-8, 8) + random.normal(0, 3, moved.shape)
    return changed.clip(0, 255).round().astype(np.uint8)
