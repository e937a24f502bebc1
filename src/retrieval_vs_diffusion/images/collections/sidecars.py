"""What stands beside an image under its name, as img2dataset and WebDataset have it: ``.txt``, ``.json``, ``.cls``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from retrieval_vs_diffusion.images.collections.marks import Marks
from retrieval_vs_diffusion.images.sample import Sample

SIDECARS = (".txt", ".json", ".cls")
LARGEST_SIDECAR = 1_000_000  # bytes
TWICE = "a name twice in a shard"
NOT_DOWNLOADED = "not downloaded"
_APART = "not beside its image in the tar"
APART = {ending: f"{ending} {_APART}" for ending in SIDECARS}  # what it says is not known of the image
_NOT_TOLD = re.compile(r"\s*-\d+\s*")  # as a label


def described(
    key: str, texts: Mapping[str, bytes], faults: Counter[str], source: str, label_key: str | None = None
) -> Sample | None:
    """A sample without its image, or None where img2dataset says that it could not download it.

    Args:
        key: the sample's.
        texts: contents by ending, one of ``SIDECARS``.
        faults: counts what cannot be read.
        source: where the sample is, for want of a URL.
        label_key: the key in ``.json`` that holds the label; without it ``.cls`` does.
    """
    about = _parsed(texts.get(".json"), faults)
    if about.get("status", "success") != "success":
        faults[NOT_DOWNLOADED] += 1
        return None
    label = about.get(label_key) if label_key else _text(texts.get(".cls"))
    caption = _text(texts.get(".txt")) or about.get("caption")

    def count_unreadable(name: str, _: Any) -> None:
        faults[f"unreadable {name.lower()}"] += 1

    unsafe, watermark = Marks.found_in(about).probabilities(about, count_unreadable)
    return Sample(
        key=key,
        label=_label(label),
        caption=caption if isinstance(caption, str) else None,
        source=about["url"] if isinstance(about.get("url"), str) else source,
        unsafe=unsafe,
        watermark=watermark,
    )


def _parsed(data: bytes | None, faults: Counter[str]) -> dict[str, Any]:
    if data is None:
        return {}
    try:
        about = json.loads(data)
    except (ValueError, RecursionError):
        about = None
    if isinstance(about, dict):
        return about
    faults["unreadable .json"] += 1
    return {}


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", errors="replace").strip()


def _label(value: Any) -> str | None:
    """A label as text; None for nothing, and for a negative number, which says that it is not told."""
    if value is None or isinstance(value, dict | list | float) or _NOT_TOLD.fullmatch(str(value)):
        return None
    return str(value).strip() or None
