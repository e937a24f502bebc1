"""Text in CSV cells that a spreadsheet would take for a formula.

Captions, prompts, class names and file names come from anywhere, the web included, and spreadsheets
run what begins with one of a few characters, e.g. ``=HYPERLINK(...)``. Such a text gets an apostrophe
before it, which spreadsheets take for "this is text"; a text that begins with an apostrophe gets one
too, so the first apostrophe of a cell is always ours and ``text_of`` gives back what was there.
"""

from __future__ import annotations

_MARK = "'"
# Full-width forms too: spreadsheets of East Asian locales take them for the narrow ones.
_RISKY = tuple("=+-@\t\r\n" + "\uff1d\uff0b\uff0d\uff20" + _MARK)


def cell_of(text: str) -> str:
    """A text as a cell that no spreadsheet runs.

    >>> cell_of("=1+1"), cell_of("a dog")
    ("'=1+1", 'a dog')
    """
    return _MARK + text if text.startswith(_RISKY) else text


def text_of(cell: str) -> str:
    """The text that ``cell_of`` made a cell of."""
    return cell.removeprefix(_MARK)
