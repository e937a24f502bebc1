"""A table with encoded images: what its columns hold, and its rows as samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

import pyarrow as pa

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import (
    CAPTION_NAMES,
    IMAGE_NAMES,
    LABEL_NAMES,
    SPLIT_NAMES,
    Wanted,
)
from retrieval_vs_diffusion.images.collections.marks import Marks
from retrieval_vs_diffusion.images.collections.part_names import PARTS, part_named
from retrieval_vs_diffusion.images.collections.record_batches import class_names_in, hugging_face_features
from retrieval_vs_diffusion.images.sample import Sample

Needs = Literal["label", "caption"] | None  # which column there must be, besides that of images


@dataclass(frozen=True)
class TableColumns:
    """Names of the columns; None for those that there are none of.

    Args:
        class_names: of label and split columns that hold integers, by column.
    """

    image: str
    label: str | None = None
    caption: str | None = None
    split: str | None = None
    url: str | None = None
    marks: Marks = field(default_factory=Marks)
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def found_in(
        cls,
        schema: pa.Schema,
        place: str | Path,
        *,
        image: str | None = None,
        label: str | None = None,
        caption: str | None = None,
        split: str | None = None,
        needs: Needs = None,
    ) -> TableColumns:
        """Those that the settings name, and else the one of each kind that can be meant.

        Raises:
            UserError: if a named column is not there, or if none or several can be meant of what is needed.
        """
        columns = schema.names
        twice = [name for name, count in Counter(columns).items() if count > 1]
        if twice:
            raise UserError(f'{place}: has the column "{twice[0]}" more than once; give each its own name')
        features = hugging_face_features(schema)
        marked = [name for name in columns if features.get(name, {}).get("_type") == "Image"]
        images = marked or [name for name in columns if holds_images(schema.field(name).type)]
        labels = [name for name in columns if class_names_in(schema, name) and name not in SPLIT_NAMES]
        chosen_image = Wanted("image", image, IMAGE_NAMES).choose(columns, place, images)
        if chosen_image is None:
            raise UserError(f"{place}: found no column of images")
        marks = Marks.found_in(columns)
        for name in marks.names:
            if not _may_be_probability(schema.field(name).type):  # passed over, it would let all through
                raise UserError(f"{place}: column {name} holds {schema.field(name).type}; it must hold numbers")
        chosen = {
            # A column that is called so goes before one that only has names for its numbers: that may be anything.
            "label": Wanted("label", label, LABEL_NAMES, needs == "label").choose(columns, place, preferred=labels),
            "caption": Wanted("caption", caption, CAPTION_NAMES, needs == "caption").choose(columns, place),
            # A pool is not split, and its column may say anything.
            "split": None
            if needs == "caption"
            else Wanted("split", split, SPLIT_NAMES, needed=False).choose(columns, place),
        }
        names = {name: class_names_in(schema, name) for name in (chosen["label"], chosen["split"]) if name}
        return cls(
            image=chosen_image,
            **chosen,
            url={name.lower(): name for name in columns}.get("url"),
            marks=marks,
            class_names={name: found for name, found in names.items() if found},
        )

    @property
    def described(self) -> list[str]:
        """All but that of images, each once."""
        others = (self.label, self.caption, self.split, self.url, *self.marks.names)
        return list(dict.fromkeys(name for name in others if name))

    @property
    def all(self) -> list[str]:
        """All columns, each once."""
        return list(dict.fromkeys([self.image, *self.described]))

    def sample(
        self, key: str, row: Mapping[str, Any], place: str | Path, part: str | None, folders: Sequence[Path] = ()
    ) -> Sample:
        """A row as a sample; without an image where the row was read without it, or names a file elsewhere.

        Args:
            key: the sample's.
            row: values by column.
            place: the shard, for messages.
            part: what the shard belongs to; a split column goes before it.
            folders: files that rows name instead of holding an image count from the first, and lie in one of them:
                a table from anywhere must not bring pictures of this machine into a pool.

        Raises:
            UserError: if the split column names no part, or text that is to be a probability is none.
        """

        def refuse(name: str, value: Any) -> NoReturn:
            raise UserError(
                f'{place}: {name} is "{str(value)[:100]}" in the row {key}; a number from 0 to 1, or nothing, will do'
            )

        if self.split is not None:
            written = self._named(self.split, row[self.split])
            part = part_named(written or "")
            if part is None:
                raise UserError(
                    f'{place}: {self.split} is "{written}" in the row {key}; one of {", ".join(PARTS)} will do'
                )
        unsafe, watermark = self.marks.probabilities(row, refuse)
        without = Sample(
            key=key,
            label=self._named(self.label, row[self.label]) if self.label else None,
            part=part,
            caption=_caption(row[self.caption]) if self.caption else None,
            source=row[self.url] if self.url and isinstance(row[self.url], str) else None,
            unsafe=unsafe,
            watermark=watermark,
        )
        return replace(without, image=_image(row[self.image], folders)) if self.image in row else without

    def _named(self, column: str, value: Any) -> str | None:
        """A label as text; None for nothing, a negative number ("not told"), and one beyond the names of numbers."""
        if isinstance(value, float) and value.is_integer():  # integers beside empty cells
            value = int(value)
        if isinstance(value, int) and value < 0:
            return None
        names = self.class_names.get(column)
        if names is not None and isinstance(value, int):
            return names[value] if value < len(names) else None
        return str(value).strip() or None if isinstance(value, int | str) else None


def holds_images(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold encoded images: bytes, or bytes and path as ``datasets`` has them."""
    if pa.types.is_struct(kind):
        fields = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return "bytes" in fields and _is_bytes(fields["bytes"])
    return _is_bytes(kind)


def _may_be_probability(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    checks = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null, pa.types.is_string)
    return any(check(kind) for check in (*checks, pa.types.is_large_string, pa.types.is_string_view)) or _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _image(value: Any, folders: Sequence[Path]) -> bytes | Path | None:
    if isinstance(value, Mapping):
        named = value.get("path")
        return value.get("bytes") or (_file_in(folders, named) if isinstance(named, str) and named else None)
    return value if isinstance(value, bytes) and value else None


def _file_in(folders: Sequence[Path], named: str) -> Path | None:
    try:
        file = (folders[0] / named if folders else Path(named)).resolve()
        return file if any(file.is_relative_to(folder.resolve()) for folder in folders) else None
    except (OSError, RuntimeError, ValueError):  # no name of a file, or links in a circle
        return None


def _caption(value: Any) -> str | None:
    """The caption, or the first of several."""
    if isinstance(value, list):
        value = next((each for each in value if isinstance(each, str)), None)
    return value if isinstance(value, str) else None
