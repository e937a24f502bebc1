"""Text from anywhere as tables can hold it."""

from __future__ import annotations

import re

LONGEST_CAPTION = 10_000  # characters
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")  # all but those that are white space
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """The text without what UTF-8 cannot hold: names of files in another encoding, halves of pairs in JSON.

    >>> plain("a\\udcff")
    'a\\\\udcff'
    """
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def plain_line(text: str) -> str:
    """The text in one line, without control characters and what UTF-8 cannot hold.

    >>> plain_line("a\\x00 dog\\n on grass")
    'a dog on grass'
    """
    return plain(_SPACE.sub(" ", _CONTROL.sub("", text)).strip())


def plain_caption(caption: str, longest: int = LONGEST_CAPTION) -> str:
    """A caption in one line, without control characters, of at most ``longest`` characters.

    >>> plain_caption("a\\x00 dog\\n on grass", 100)
    'a dog on grass'
    """
    # Some captions are whole pages: what is cut off is not looked at first.
    return plain_line(caption[: 4 * longest])[:longest]
