"""Node functions with some arguments fixed when the pipeline is built."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

PICKS = "picks"  # attribute of a node function: of which collections it reads one artifact alone


def picking(function: Callable[..., Any], picks: Mapping[str, str]) -> Callable[..., Any]:
    """Say that a node reads one artifact alone of each of its inputs that are collections.

    What the node makes then depends on that artifact and not on what else the collection holds: a
    sixth repetition does not make the first five again.

    Args:
        function: as ``bound`` returns it.
        picks: name of the artifact by name of the collection.
    """
    setattr(function, PICKS, dict(picks))
    return function


def bound(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Callable[..., Any]:
    """Fix arguments of a node function; the rest are its inputs.

    What is fixed counts in the fingerprint of what the node makes. Like ``functools.partial``, with the
    function's name and docstring, which Kedro and kedro-viz show.
    """
    fixed = functools.partial(function, *arguments, **keywords)
    functools.update_wrapper(fixed, function)
    del fixed.__dict__["__wrapped__"]  # or the fixed arguments would be asked for as inputs
    return fixed
