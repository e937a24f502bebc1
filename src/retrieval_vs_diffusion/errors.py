"""Errors that a user can mend, each one line: what was found where, and what would do."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable

_LONGEST = 2_000  # characters
# What ends a line, steers a terminal, turns the direction of writing, or cannot be written as UTF-8.
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(Exception):
    """Something in the user's files or parameters is wrong; the message is shown without a traceback.

    Args:
        message: names and contents of files may stand in it: it is shown as ``one_line`` has it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Text from anywhere as a line that a terminal and a log can show; what is longer is cut.

    >>> one_line("a\\n b\\x1b[31m")
    'a  b\\\\x1b[31m'
    """
    text = text if len(text) <= longest else f"{text[:longest]} ..."
    return _UNSHOWN.sub(lambda found: " " if found[0] in "\t\r\n" else ascii(found[0])[1:-1], text)


def find_user_error(error: BaseException | None) -> UserError | None:
    """The error of the user's among an error and what caused it: Kedro wraps what a dataset raises.

    A disk without room is one too, whichever library tells of it, and so are one that may not be written to, a path
    that is too long and a GPU without memory.
    """
    while error is not None and not isinstance(error, UserError):
        if _NO_SPACE in str(error):
            return UserError(_no_space(error))
        if isinstance(error, OSError) and error.errno in _FORBIDDEN and error.filename:
            return UserError(f"{error.filename}: {error.strerror}; give this user the right to it, or another folder")
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return UserError(f"{_shortened(error.filename)}: {error.strerror}; {_SHORT_ENOUGH}")
        if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, which need not be loaded here
            said = " ".join(str(error).split())[:100]
            return UserError(f"the GPU is out of memory ({said}...): lower the batch size of this step, or device: cpu")
        error = error.__cause__
    return error


_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT}
_SHORT_ENOUGH = "no name in a path has more than 255 bytes; give the path of a file or folder that is there"
_NO_SPACE = "No space left on device"  # as the C library says it, through Python, Arrow and Rust


def _no_space(error: BaseException) -> str:
    where = f", writing {error.filename}" if isinstance(error, OSError) and error.filename else ""
    return f"there is no space left on the disk{where}: free some and run the same command again; what is done stays"


def _shortened(path: object) -> str:
    text = str(path or "a path")
    return text if len(text) <= 200 else f"{text[:100]}...{text[-50:]}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which of the ``known`` names the user may have meant by ``name``.

    Returns ``'did you mean "boomerang"?'`` where one is close, else the list of all names.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(known)}"
