"""The base world's target: real handwritten digits, drawn with a look that no prompt names."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.digit_drawing import CLASS_NAMES, Look, draw, load_digit_images
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.target import Target
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.seeds import derive_seed


@part
class RenderedDigits:
    """Digits from ``first_digit`` on in scikit-learn's file, split into reservoir, val and test.

    Neighbouring digits of the file were mostly written by the same people, so a split by position
    keeps the target's writers apart from the pool's.

    Args:
        first_digit: position in the file where the target begins; what lies before is the pool's.
        val_per_class: images a class for validation.
        reservoir_per_class: images a class from which repetitions draw training and held-back images.
        test_per_class: at most so many images a class for test; null for all that remain.
        seed: decides which digit goes where, and the looks.
    """

    first_digit: int = 750
    val_per_class: int = 10
    reservoir_per_class: int = 45
    test_per_class: int | None = None
    seed: int = 0

    def read(self) -> Target:
        """Draw all images of the target.

        Raises:
            UserError: if a class has too few digits for the numbers asked.
        """
        digits, labels = load_digit_images()
        positions = np.arange(self.first_digit, len(digits))
        pixels = self._draw(digits[positions], derive_seed("target looks", self.seed))
        order = np.random.default_rng(derive_seed("target split", self.seed)).permutation(len(positions))
        parts: dict[str, list[int]] = {"val": [], "reservoir": [], "test": []}
        for label, name in enumerate(CLASS_NAMES):
            members = order[labels[positions[order]] == label]
            cuts = np.cumsum([self.val_per_class, self.reservoir_per_class])
            if len(members) <= cuts[-1]:
                raise UserError(
                    f'target: class "{name}" has {len(members)} digits from position {self.first_digit} on, '
                    f"but val_per_class + reservoir_per_class = {cuts[-1]} must leave some for test"
                )
            val, reservoir, test = np.split(members, cuts)
            for name_of_part, chosen in (("val", val), ("reservoir", reservoir), ("test", test[: self.test_per_class])):
                parts[name_of_part].extend(chosen.tolist())
        tables = {each: self._table(each, sorted(rows), positions, labels, pixels) for each, rows in parts.items()}
        return Target(class_names=CLASS_NAMES, **tables)

    def _table(
        self,
        part: str,
        rows: list[int],
        positions: Int[np.ndarray, " n"],
        labels: Int[np.ndarray, " 1797"],
        pixels: UInt8[np.ndarray, "n 16 16 3"],
    ) -> ImageTable:
        def row(index: int) -> dict:
            position = int(positions[index])
            label = int(labels[position])
            image_id = f"digits/{position}/target/{self.seed}"
            source = f"sklearn.load_digits[{position}] ({part})"
            return image_row(pixels[index], image_id, label=label, true_label=label, source=source)

        return ImageTable.from_rows(row(index) for index in rows)

    def _draw(self, digits: np.ndarray, seed: int) -> UInt8[np.ndarray, "n 16 16 3"]:
        """Small, strongly slanted, pale black digits on unevenly lit white paper, blurred and noisy."""
        random, n = np.random.default_rng(seed), len(digits)
        direction, strength = random.uniform(0, 2 * np.pi, n), random.uniform(0, 0.18, n)
        look = Look(
            rotation=random.uniform(-8, 8, n),
            shear=random.normal(0.38, 0.08, n),
            scale=random.uniform(0.68, 0.82, n),
            shift=random.uniform(-0.12, 0.12, (n, 2)),
            threshold=random.uniform(0.35, 0.5, n),
            ink=np.zeros((n, 3)),
            background=np.ones((n, 3)),
            contrast=random.uniform(0.3, 0.5, n),
            blur=random.uniform(0.7, 1.0, n),
            gradient=strength[:, None] * np.stack([np.cos(direction), np.sin(direction)], -1),
            noise=0.065,
        )
        return draw(digits, look, random)
