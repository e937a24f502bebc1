"""Small collections as users bring them: real files, no two pictures alike."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def noise(seed: int, width: int = 12, height: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(seed: int = 0, kind: str = "PNG", width: int = 12, height: int = 10, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(seed, width, height)).save(buffer, kind, **options)
    return buffer.getvalue()


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def write_tar(path: Path, members: list[tuple[str | tarfile.TarInfo, bytes | str | dict]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            data = json.dumps(content) if isinstance(content, dict) else content
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            if member.isreg():
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def hugging_face_metadata(**features: dict) -> dict[bytes, bytes]:
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def write_parquet(path: Path, columns: Mapping[str, list], classes: list[str] | None = None, rows: int = 2) -> Path:
    """Bytes become structs of bytes and path, as ``datasets`` has them; ``classes`` are the label column's names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: pa.array(
            [{"bytes": value, "path": None} for value in values],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        )
        if isinstance(values[0], bytes)
        else pa.array(values)
        for name, values in columns.items()
    }
    table = pa.table(arrays)
    if classes:
        table = table.replace_schema_metadata(
            hugging_face_metadata(image={"_type": "Image"}, label={"_type": "ClassLabel", "names": classes})
        )
    pq.write_table(table, path, row_group_size=rows)
    return path


def tree(folder: Path, per_class: int = 4, classes: tuple[str, ...] = ("cat", "dog"), **numbers: int) -> Path:
    """Class folders, with parts above them where ``numbers`` (images a class by part) are given."""
    seed = 0
    for above, number in (numbers or {"": per_class}).items():
        for name in classes:
            for index in range(number):
                write(folder, {f"{above + '/' if above else ''}{name}/{index}.png": encoded(seed)})
                seed += 1
    return folder
