"""Parts named in YAML: ``type: text_to_image`` is the class ``TextToImage`` of the module ``text_to_image``.

A new kind of reader, personalisation, generator or retriever is one file; nothing is registered. A
dotted name (``my_package.my_module.MyPart``) takes a class from outside this package.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from retrieval_vs_diffusion.errors import UserError, did_you_mean

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def part(cls: type[T]) -> type[T]:
    """Make a class a part: a frozen dataclass whose fields are its YAML keys, checked when it is built."""
    return pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid"))(cls)  # type: ignore[return-value]


def build_part(package: str, specification: Mapping[str, Any], where: str) -> Any:
    """Build the part that a YAML entry describes.

    Args:
        package: module path of the folder with the parts of this kind.
        specification: ``type`` and the part's fields.
        where: the entry's place in the parameters, for messages.

    Raises:
        UserError: if the type is unknown, or a field is unknown, missing, or of a wrong type or range.
    """
    fields = dict(specification)
    name = fields.pop("type", None)
    if not isinstance(name, str):
        raise UserError(f"{where}.type: found {name!r}; known are: {', '.join(_known(package))}")
    found = _find(package, name, where)
    if not hasattr(found, "__pydantic_validator__"):
        raise UserError(
            f"{where}.type: {name} is no part; decorate the class with @part of retrieval_vs_diffusion.parts"
        )
    try:
        return TypeAdapter(found).validate_python(fields)
    except ValidationError as error:
        raise UserError(describe(error, where, found)) from error
    except UserError as error:  # of a check that a field's type makes
        raise UserError(f"{where}.{error}") from error


def describe(error: ValidationError, where: str, model: type | None = None) -> str:
    """A validation error in one line: place, what was found, what would do.

    Args:
        error: what pydantic raised.
        where: the place of what was checked.
        model: the model or part that it was checked against, to suggest a key for one that is not known.
    """
    first = error.errors(include_url=False)[0]
    place = ".".join([where, *(str(step) for step in first["loc"])])
    if first["type"] in {"missing", "missing_argument"}:
        return f"{place}: is missing"
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        meant = f"; {did_you_mean(str(first['loc'][-1]), known)}" if (known := _keys(model, first["loc"][:-1])) else ""
        return f"{place}: there is no such key here{meant}"
    expected = first["msg"][0].lower() + first["msg"][1:]
    return f"{place}: found {first['input']!r}; {expected}"


def _keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that a model has at a place inside it; none where that cannot be told."""
    for step in location:
        field = _fields(model).get(str(step))
        model = field.annotation if field is not None else None
    return list(_fields(model))


def _fields(model: Any) -> Mapping[str, Any]:
    return getattr(model, "model_fields", None) or getattr(model, "__pydantic_fields__", {})


def _known(package: str) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def _find(package: str, name: str, where: str) -> type:
    if "." in name:
        module_name, _, class_name = name.rpartition(".")
    else:
        if name not in _known(package):
            raise UserError(f'{where}.type: found "{name}"; {did_you_mean(name, _known(package))}')
        module_name, class_name = f"{package}.{name}", "".join(word.capitalize() for word in name.split("_"))
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{where}.type: cannot take {class_name} from {module_name}: {error}") from error
