"""What is said of the classes beyond their names: a CSV that the user brings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.images.class_naming import class_name_of
from retrieval_vs_diffusion.strategies.prompts import FIELDS

_COLUMNS = ("class", *FIELDS)


@dataclass(frozen=True)
class ClassTable:
    """Fields of each class that prompts may use.

    Args:
        rows: for each class of the target its fields; a field that is empty is not there.
    """

    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def only(self, fields: Iterable[str]) -> ClassTable:
        """The table with these fields alone, so that an image does not depend on those it does not use."""
        wanted = set(fields)
        rows = {name: {f: value for f, value in row.items() if f in wanted} for name, row in self.rows.items()}
        return ClassTable({name: row for name, row in rows.items() if row})

    def strangers(self, class_names: Sequence[str]) -> list[str]:
        """A line for each class of the table that the target has not: a slip, or a table for more classes."""
        return [
            f'classes.path: the target has no class "{name}"; {did_you_mean(name, class_names)}'
            for name in self.rows
            if name not in class_names
        ]

    def fields_of(self, class_name: str) -> dict[str, str]:
        """All fields of a class; ``name`` is the class's own where the table has none."""
        return {"name": class_name, **self.rows.get(class_name, {})}


def read_class_table(path: Path) -> ClassTable:
    """Read a CSV with the column ``class`` and any of ``name, definition, hypernym, background``.

    Raises:
        UserError: if there is no such file, a column is unknown or there twice, a line is ragged, or a class
            stands twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True, strict=True)
            columns = list(reader.fieldnames or [])
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"classes.path: cannot read {path} ({error}); a CSV in UTF-8 will do") from error
    for column in columns:
        if column not in _COLUMNS:
            raise UserError(f'classes.path: {path} has the column "{column}"; {did_you_mean(column, _COLUMNS)}')
    if "class" not in columns:
        raise UserError(f"classes.path: {path} lacks the column class, the classes' names in the target")
    if len(set(columns)) < len(columns):
        raise UserError(f"classes.path: {path} has a column twice: {', '.join(columns)}")
    rows: dict[str, dict[str, str]] = {}
    for number, line in lines:
        if None in line or None in line.values():
            raise UserError(f"classes.path: line {number} of {path} has another number of cells than the header")
        name = class_name_of(line["class"].strip())  # as the target's readers call it
        if not name:
            raise UserError(f"classes.path: line {number} of {path} names no class")
        if name in rows:
            raise UserError(f'classes.path: {path} has the class "{name}" twice, again in line {number}')
        rows[name] = {field: value for field in FIELDS if (value := (line.get(field) or "").strip())}
    named: dict[str, str] = {}
    for name, row in rows.items():
        shown = row.get("name", name)
        if shown in named:
            raise UserError(
                f'classes.path: {path} calls two classes "{shown}", {named[shown]} and {name}; no prompt could tell '
                "them apart, so give one another name"
            )
        named[shown] = name
    return ClassTable(rows)
