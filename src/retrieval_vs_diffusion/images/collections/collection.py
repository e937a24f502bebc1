"""A user's collection of images, in whichever format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import formats
from retrieval_vs_diffusion.images.formats.detect import detect
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.remote.remote_path import RemotePath

FORMATS = formats.__name__
Kind = Literal["target", "pool"]
_NEEDS: dict[Kind, str] = {"target": "label", "pool": "caption"}
_WITH_NEEDS = {"parquet", "hugging_face", "img2dataset_parquet"}  # tables: which column there must be


@runtime_checkable
class Collection(Protocol):
    """What a format gives."""

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders that count as its input."""

    def entries(self) -> Iterator[Sample]:
        """All samples without their images, in the order of ``samples``; nothing large is read."""

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The samples with their images, one after the other.

        Args:
            only: keys of the samples that are wanted; None for all.
            faults: counts what the collection holds and is left out, by reason.
        """


def build_collection(
    path: str | Path, specification: str | Mapping[str, Any], kind: Kind, columns: Mapping[str, str | None], where: str
) -> Collection:
    """The collection at a path.

    Args:
        path: a file or folder; with the format ``hugging_face`` also a data set's name on the hub.
        specification: the name of a format, ``auto`` to know it by the names of the files, or a mapping with
            ``type`` and further options.
        kind: what it is to be.
        columns: which column holds what, e.g. ``label_column``; None for those that are to be found.
        where: the reader's place in the parameters.

    Raises:
        UserError: if nothing is there, the format cannot be told, or it has no such option.
    """
    options = {"type": specification} if isinstance(specification, str) else dict(specification)
    place = Path(path).expanduser() if isinstance(path, str) else path.expanduser()
    if options.get("type", "auto") == "auto":
        options["type"] = detect(place, kind)
        if options["type"] == "links":
            raise UserError(f"{where}.type: linked_images reads link collections; {path} is one, without images")
    options |= {name: column for name, column in columns.items() if column is not None}
    if options["type"] in _WITH_NEEDS:
        options.setdefault("needs", _NEEDS[kind])
    if options["type"] == "hugging_face" and not isinstance(place, RemotePath) and not place.exists():
        return build_part(FORMATS, {"name": str(path), **options}, f"{where}.format")
    if not place.exists():
        raise UserError(f"{where}.path: there is nothing at {path}; a file or folder will do")
    return build_part(FORMATS, {"path": place, **options}, f"{where}.format")
