"""Prompts filled from class names and what a class table says of the classes."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from retrieval_vs_diffusion.errors import UserError, did_you_mean

FIELDS = ("name", "definition", "hypernym", "background")
# open_clip's template ensembles for ImageNet (Radford et al. 2021), under the names that they have there.
ENSEMBLES = ("openai_imagenet_templates", "simple_imagenet_templates")
_FILLABLE = f"what can be filled in is {', '.join(f'{{{field}}}' for field in FIELDS)}, as they stand"


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Put a class's fields into a template, e.g. its name into ``"a photo of a {name}"``.

    Args:
        template: it may use the fields of ``FIELDS``.
        fields: what is known of the class; ``name`` always is.

    Raises:
        UserError: if the class lacks a field that the template asks for.
    """
    lacking = [field for field in _asked(template) if not fields.get(field)]
    if lacking:
        raise UserError(
            f'class "{fields["name"]}" has no {lacking[0]}, which the template "{template}" asks for: '
            "give it one in the class table (classes.path), or take the template out"
        )
    return template.format(**fields)


def expand(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates with the named ensembles written out."""
    return tuple(
        each for template in templates for each in (_ensemble(template) if template in ENSEMBLES else [template])
    )


def fields_used(templates: Iterable[str]) -> tuple[str, ...]:
    """The fields that any of the templates asks for, in the order of ``FIELDS``."""
    asked = {field for template in templates for field in _asked(template)}
    if any(template in ENSEMBLES for template in templates):
        asked.add("name")
    return tuple(field for field in FIELDS if field in asked)


def check(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates, once each is known to be one that can be filled.

    Raises:
        UserError: if one cannot, or there is none.
    """
    if not templates:
        raise UserError("prompts: found none; write at least one template, such as a photo of a {name}")
    for template in templates:
        if template in ENSEMBLES:
            continue
        if _meant_for_an_ensemble(template):
            raise UserError(f'prompts: found the ensemble "{template}"; {did_you_mean(template, ENSEMBLES)}')
        try:
            parsed = list(string.Formatter().parse(template))
        except ValueError as error:
            raise UserError(f'prompts: found "{template}"; {_FILLABLE} ({error})') from error
        for _, field, specification, conversion in parsed:
            # Nothing but the bare field: {name.upper}, {name!r} and {name:>30} would be filled with what nobody meant.
            if field is not None and (field not in FIELDS or specification or conversion):
                raise UserError(f'prompts: found "{template}"; {_FILLABLE}')
    return tuple(templates)


def _listed(templates: object) -> object:
    return [templates] if isinstance(templates, str) else templates


# A part's field: a template or an ensemble's name, or several; checked when the part is built.
Templates = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(check)]


def _meant_for_an_ensemble(template: str) -> bool:
    """Whether a template is one word that looks like an ensemble's name."""
    one_word = bool(template) and not set(template) & set(" {}")
    return one_word and (
        template.endswith("_templates") or bool(difflib.get_close_matches(template, ENSEMBLES, cutoff=0.6))
    )


def _asked(template: str) -> list[str]:
    return [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]


def _ensemble(name: str) -> list[str]:
    import open_clip

    return [template("{name}") for template in getattr(open_clip, name.upper())]
