"""The report's pictures: originals, what each row adds, and what the screening refused, class by class."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable

LARGEST_SIDE = 128  # pixels; larger pictures are made smaller for the report
LONGEST_TEXT = 240  # characters of a caption or prompt
_REASONS = {"below_floor": "below the floor"}


def pictures(examples: ImageTable, class_names: Sequence[str], strategy: str) -> list[dict[str, Any]]:
    """The examples of a row as embedded pictures.

    Returns:
        For each ``data`` (a data URL), ``label``, ``class_name``, ``alt`` text, ``facts`` (pairs of word and
        value: similarity, prompt, caption, cut to ``LONGEST_TEXT``) and ``refused``, why it was refused, or
        None. All of it is text from strangers, to be escaped.
    """
    made = []
    for row in examples.table.to_pylist():
        name = class_names[row["label"]]
        refused = _why(row["refused"])
        facts = [
            ("similarity", f"{row['similarity']:.3f}" if row["similarity"] is not None else None),
            ("prompt", row["prompt"]),
            ("caption", row["caption"]),
        ]
        made.append(
            {
                "data": _data_url(row["image"]["bytes"]),
                "label": row["label"],
                "class_name": name,
                "alt": f"{name}, {f'refused by {strategy}: {refused}' if refused else f'used by {strategy}'}",
                "facts": [(word, cut(value)) for word, value in facts if value],
                "refused": refused,
            }
        )
    return made


def _why(refused: str | None) -> str | None:
    if not refused:
        return None
    reason, _, more = refused.partition(":")
    word = _REASONS.get(reason, reason)
    return cut(f"{word}:{more}" if more else word)


def cut(text: str) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _data_url(data: bytes) -> str:
    """The picture, made smaller if it is large; a broken one as an empty grey square."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as opened:
            small, kind = max(opened.size) <= LARGEST_SIDE, str(opened.format).lower()
        if not small:
            image = Image.fromarray(codec.decode(data))
            image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
            data, kind = _jpeg(image), "jpeg"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        data, kind = _jpeg(Image.new("RGB", (16, 16), (128, 128, 128))), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=88)
    return buffer.getvalue()
