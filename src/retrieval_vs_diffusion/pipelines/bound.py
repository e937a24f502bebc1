"""Node functions with some arguments fixed when the pipeline is built."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def bound(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Callable[..., Any]:
    """Fix arguments of a node function; the rest are its inputs.

    What is fixed counts in the fingerprint of what the node makes. Like ``functools.partial``, with the
    function's name and docstring, which Kedro and kedro-viz show.
    """
    fixed = functools.partial(function, *arguments, **keywords)
    functools.update_wrapper(fixed, function)
    del fixed.__dict__["__wrapped__"]  # or the fixed arguments would be asked for as inputs
    return fixed
