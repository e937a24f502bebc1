"""The command that makes a table again: the same text however the parameters were given that led to it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def repeat_command(repeat: Mapping[str, Any], rows: Sequence[str]) -> str:
    """A ``kedro run`` for the shell, with the parameters that make another table than the world's own.

    Args:
        repeat: ``environment`` (None for the base world); ``given``, parameters by their dotted place; ``usual_rows``,
            those of a run that names none, and ``every_row``.
        rows: of the table, in its order.
    """
    given = dict(repeat["given"])
    if set(rows) != set(repeat["usual_rows"]):
        given["only"] = "all" if set(rows) == set(repeat["every_row"]) else "+".join(rows)
    words = ["kedro", "run"]
    if repeat["environment"] is not None:
        words.append(f"--env={repeat['environment']}")
    if given:
        words += ["--params", ",".join(f"{place}={given[place]}" for place in sorted(given, key=_only_first))]
    return shlex.join(words)


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a tree by their dotted place, as the command line takes them: lists are joined by ``+``."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and not any(isinstance(each, list | tuple | Mapping) for each in value):
        return "+".join(map(_text, value))
    return json.dumps(value)


def _only_first(place: str) -> tuple[bool, str]:
    return place != "only", place
