"""Errors that a user can mend, each one line: what was found where, and what would do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


class UserError(Exception):
    """Something in the user's files or parameters is wrong; the message is shown without a traceback."""


def find_user_error(error: BaseException | None) -> UserError | None:
    """The error of the user's among an error and what caused it: Kedro wraps what a dataset raises.

    A disk without room is one too, whichever library tells of it, and so are one that may not be written to and a GPU
    without memory.
    """
    while error is not None and not isinstance(error, UserError):
        if _NO_SPACE in str(error):
            return UserError(_no_space(error))
        if isinstance(error, OSError) and error.errno in _FORBIDDEN and error.filename:
            return UserError(f"{error.filename}: {error.strerror}; give this user the right to it, or another folder")
        if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, which need not be loaded here
            said = " ".join(str(error).split())[:100]
            return UserError(f"the GPU is out of memory ({said}...): lower the batch size of this step, or device: cpu")
        error = error.__cause__
    return error


_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT}
_NO_SPACE = "No space left on device"  # as the C library says it, through Python, Arrow and Rust


def _no_space(error: BaseException) -> str:
    where = f", writing {error.filename}" if isinstance(error, OSError) and error.filename else ""
    return f"there is no space left on the disk{where}: free some and run the same command again; what is done stays"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which of the ``known`` names the user may have meant by ``name``.

    Returns ``'did you mean "boomerang"?'`` where one is close, else the list of all names.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(known)}"
