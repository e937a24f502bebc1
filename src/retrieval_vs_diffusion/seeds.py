"""Seeds derived from what is made, never from a loop variable or from the order of work."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: str | int) -> int:
    """Hash the parts (world, strategy, repetition, purpose, ...) to a seed in [0, 2**63).

    The same parts give the same seed in every process and on every machine; parts are joined with a
    separator that no name holds, so ("a", "bc") and ("ab", "c") differ.

    >>> derive_seed("base", "boomerang", 0, "generate") == derive_seed("base", "boomerang", 0, "generate")
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
