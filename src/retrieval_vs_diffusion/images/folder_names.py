"""Class names as names of folders, on any file system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from retrieval_vs_diffusion.images.class_naming import folded

LONGEST = 100  # bytes of UTF-8; file systems take 255 of a name, encrypted ones 143
_KEPT = frozenset(" -_.,()")  # besides letters, digits and the marks that belong to them
# Devices to Windows, with any ending: `nul.png` is one.
_RESERVED = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.I)


def folder_names(class_names: Sequence[str]) -> list[str]:
    """A folder name for each class, in their order.

    No name holds a separator or a control character, begins with a dot, or is one that a file system
    reserves; no two are the same where case and Unicode forms do not count. Names of letters, digits
    and simple punctuation stay as they are.

    >>> folder_names(["tabby cat", "../etc", "Tabby Cat"])
    ['tabby cat', '___etc', 'Tabby Cat_2']
    """
    taken: set[str] = set()
    names = []
    for label, class_name in enumerate(class_names):
        name = _safe(class_name)
        if folded(name) in taken:
            name = f"{_cut(name, LONGEST - 12)}_{label}"
        while folded(name) in taken:  # another class is called like that
            name = f"{name}_"
        taken.add(folded(name))
        names.append(name)
    return names


def _safe(class_name: str) -> str:
    composed = unicodedata.normalize("NFC", class_name)
    name = "".join(each if each in _KEPT or unicodedata.category(each)[0] in "LNM" else "_" for each in composed)
    # A dot at the start hides, a dash looks like an option; a dot or blank at the end is dropped by Windows.
    # Replaced and not taken away, so that -1 and 1 stay apart.
    name = re.sub(r"^[ .-]+", lambda found: "_" * len(found[0]), name)
    name = re.sub(r"[ .]+$", lambda found: "_" * len(found[0]), _cut(name, LONGEST))
    if not name:
        return "class"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _cut(name: str, longest: int) -> str:
    return name.encode("utf-8")[:longest].decode("utf-8", errors="ignore")
