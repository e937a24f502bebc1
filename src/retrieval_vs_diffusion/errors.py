"""Errors that a user can mend, each one line: what was found where, and what would do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something in the user's files or parameters is wrong; the message is shown without a traceback."""


def find_user_error(error: BaseException | None) -> UserError | None:
    """The error of the user's among an error and what caused it: Kedro wraps what a dataset raises."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which of the ``known`` names the user may have meant by ``name``.

    Returns ``'did you mean "boomerang"?'`` where one is close, else the list of all names.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(known)}"
