"""Cells of a table as Python has them: what its writer got wrong costs the cell, not the table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def value_of(cell: pa.Scalar) -> Any:
    """A cell's value; text that is no UTF-8 as far as it can be read, None for what Python cannot hold."""
    try:
        return cell.as_py()
    except Exception:  # text in another encoding, a date beyond Python's, nesting without end
        return _value_by_parts(cell)


def _value_by_parts(cell: pa.Scalar) -> Any:
    if isinstance(cell, pa.DictionaryScalar):
        return value_of(cell.value)
    if isinstance(cell, pa.StructScalar):
        return {name: value_of(cell[name]) for name in cell}
    if isinstance(cell, pa.StringScalar | pa.LargeStringScalar):
        return cell.as_buffer().to_pybytes().decode("utf-8", errors="replace")
    if isinstance(cell, pa.ListScalar) and pa.types.is_string(cell.type.value_type):
        return [value_of(each) for each in cell.values]
    return None


def check_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, if all that it points at lies within it: Arrow files are mapped and believed, Parquet is decoded.

    Raises:
        pa.ArrowException: if it points elsewhere, where reading it could end the process.
    """
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise pa.ArrowInvalid(f"the column {name} points beyond its data") from None
            # Text may be no UTF-8, which ``value_of`` mends; as bytes it must hold.
            kind = pa.binary() if pa.types.is_string(column.type) else pa.large_binary()
            column.view(kind).validate(full=True)
    return batch
