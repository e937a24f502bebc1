"""Prompts filled from class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from retrieval_vs_diffusion.errors import UserError


def fill(template: str, name: str) -> str:
    """Put a class's name into a template, e.g. ``"a photo of a {name}"``.

    Raises:
        UserError: if the template asks for something else.
    """
    try:
        return template.format(name=name)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f'prompts: found "{template}"; the only field that can be filled is {{name}} ({error!r})'
        ) from error


def check(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates, once each is known to be one that can be filled.

    Raises:
        UserError: if one cannot, or there is none.
    """
    if not templates:
        raise UserError("prompts: found none; write at least one template, such as a photo of a {name}")
    for template in templates:
        fill(template, "class")
    return tuple(templates)


Templates = Annotated[tuple[str, ...], AfterValidator(check)]  # a part's field: checked when the part is built
