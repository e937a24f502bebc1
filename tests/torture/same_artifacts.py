"""Whether two data folders hold the same study: images, ids, models, predictions and accuracies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

# What a clock, a place or work that was done twice decides; all else must be equal.
_TIMES = {
    "seconds",
    "cost",
    "flops",
    "gpu_seconds",
    "peak_memory_bytes",
    "hours",
    "embedding_seconds",
    "screen",
    "bring",
}
_OF_PLACE = ("report.html",)


def contents(data: Path) -> dict[str, str]:
    """A digest of each artifact's content, by its place; seconds do not count."""
    found = {}
    for record in sorted(data.rglob("*.made.json")):
        artifact = record.with_name(record.name.removesuffix(".made.json"))
        if artifact.name not in _OF_PLACE:
            found[str(artifact.relative_to(data))] = _digest(artifact)
    return found


def _digest(path: Path) -> str:
    if path.is_dir():
        parts = [(str(file.relative_to(path)), _digest(file)) for file in sorted(path.rglob("*")) if file.is_file()]
        return _hash(json.dumps(parts).encode())
    if path.suffix == ".json":
        return _hash(json.dumps(_without_times(json.loads(path.read_text())), sort_keys=True).encode())
    if path.suffix == ".csv":
        table = pd.read_csv(path)
        kept = [name for name in table.columns if not any(word in name for word in ("second", "price", "flops"))]
        return _hash(table[kept].to_csv(index=False).encode())
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return _hash(json.dumps(table.schema.names).encode() + _bytes_of(table))
    return _hash(path.read_bytes())


def _bytes_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.combine_chunks().replace_schema_metadata(None))
    return sink.getvalue().to_pybytes()


def _without_times(value):  # type: ignore[no-untyped-def]
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key not in _TIMES and "second" not in key}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def leftovers(data: Path) -> list[str]:
    """Whatever a run leaves behind while it works and must not leave when it is done."""
    return sorted(
        str(path.relative_to(data))
        for path in data.rglob(".*")
        if path.name.endswith((".part", ".lock", ".unfinished"))
    )
