"""Digests of values, of files and of the code that a function runs."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from retrieval_vs_diffusion.execution.files_below import files_below, lists_among
from retrieval_vs_diffusion.remote.remote_path import RemotePath

PACKAGE = "retrieval_vs_diffusion"
UNITS_FIT_ANY = "units_fit_any"  # attribute of a node function: names of bound arguments
_LARGE = 256_000_000  # bytes
_MANY = 20_000  # files
_LOOKED_AT = 1_000  # files of a large collection
_END = 65_536  # bytes
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_PACKAGE_FOLDER = Path(__file__).parents[1]
# Numbers change with these; with no other dependency.
_NUMERIC_LIBRARIES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "timm",
    "scikit-learn",
    "numpy",
)


def digest(*values: Any) -> str:
    """Hash of values: what JSON holds, and pydantic models, dataclasses and paths."""
    return hashlib.sha256(json.dumps(_plain(values), sort_keys=True).encode()).hexdigest()[:32]


def digest_of_path(path: Path) -> str | None:
    """Hash of a file, or of all files of a folder with their names; None where nothing is.

    Of what lies in a store, sizes and versions count in place of the content, which is not fetched for it.
    """
    if isinstance(path, RemotePath):
        return digest(_remote_files(path)) if path.exists() else None
    if path.is_file():
        return _digest_of_file(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest([(str(file.relative_to(path)), _digest_of_file(file)) for file in files])
    return None


def digest_of_collection(paths: Iterable[Path]) -> str:
    """Hash of files and folders that a user brings, which may be terabytes.

    Up to 256 MB all content counts. Of more, the names and sizes of all files do, the beginnings and ends of a
    thousand of them, and all content of lists, in which another label may be as long as the one before; dates do not,
    for a copy is the same collection. Of what lies in a store, sizes and versions do.
    """
    roots = list(enumerate(paths))
    remote = [(number, _remote_files(root)) for number, root in roots if isinstance(root, RemotePath)]
    local = _digest_of_local([(number, root) for number, root in roots if not isinstance(root, RemotePath)])
    return digest(local, remote) if remote else local


def _remote_files(root: RemotePath) -> list[tuple[str, int, str]]:
    return [(name, stored.size, stored.version) for name, stored in root.files_under().items()]


def _digest_of_local(roots: Sequence[tuple[int, Path]]) -> str:
    files = [
        (f"{number}/{file.relative_to(root)}", file, file.stat().st_size)
        for number, root in roots
        for file in _files_of(root)
    ]
    if sum(size for _, _, size in files) <= _LARGE and len(files) <= _MANY:
        return digest([(name, _digest_of_file(file)) for name, file, _ in files])
    looked_at = files[:: -(-len(files) // _LOOKED_AT)]
    return digest(
        [(name, size) for name, _, size in files],
        [_ends_of(file, size) for _, file, size in looked_at],
        [_digest_of_file(file) for file in lists_among(files, {root for _, root in roots}, _LARGE)],
    )


def _files_of(root: Path) -> list[Path]:
    if os.path.isfile(root):  # false, and no error, for a name that is too long to be one
        return [root]
    return sorted(file for file in files_below(root) if file.is_file())


def _ends_of(path: Path, size: int) -> str:
    with path.open("rb") as file:
        beginning = file.read(_END)
        file.seek(max(0, size - _END))
        return hashlib.sha256(beginning + file.read(_END)).hexdigest()


def is_large(path: Path) -> bool:
    """Whether a file or folder is so large that its content is not read again and again."""
    return sum(file.stat().st_size for file in _files_of(path)) > _LARGE


def state_of_path(path: Path) -> str:
    """Hash of what the file system says of a file or folder: names, sizes and when they were written."""
    states = [(str(file.relative_to(path)), file.stat()) for file in _files_of(path)]
    return digest([(name, state.st_size, state.st_mtime_ns, state.st_ctime_ns) for name, state in states])


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def units_fit_any(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """Say that what a step has done before it is done fits any value of these bound arguments.

    They count in the fingerprint of what the step makes as all others do; its units are found again without them.

    Args:
        function: as ``pipelines.bound`` returns it.
        names: of arguments that are bound by their names.
    """
    setattr(function, UNITS_FIT_ANY, names)
    return function


def digest_of_code(function: Callable[..., Any], without: Collection[str] = ()) -> str:
    """Hash of what a function runs: its module, all modules of this package that it imports, the libraries.

    Comments, docstrings and layout do not count. Values bound by ``functools.partial`` do; a part
    among them (a frozen dataclass) counts with the code of its own module, and with the files that its
    property ``reads`` names.

    Args:
        function: of a module.
        without: names of bound arguments that do not count.
    """
    bound: list[Any] = []
    while isinstance(function, functools.partial):
        bound.append([function.args, {key: each for key, each in function.keywords.items() if key not in without}])
        function = function.func
    return digest(function.__qualname__, digest_of_module(function.__module__), bound, library_versions())


@functools.cache
def digest_of_module(module: str) -> str:
    """Hash of a module and of all modules of this package that it imports, directly or not."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        code, imported = _read_module(name)
        found[name] = code
        waiting += imported
    return digest(found)


@functools.cache
def _read_module(name: str) -> tuple[str, list[str]]:
    """Hash of one module's syntax tree without docstrings, and the names of this package that it imports."""
    source = _source_of(name)
    if source is None:
        return "", []
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _imported_from(node, name, is_package=source.name == "__init__.py")
            imported += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    own = [each for each in imported if each.startswith(PACKAGE + ".") and _source_of(each) is not None]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), own


def _imported_from(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The full name of the module that a ``from ... import`` takes from; dots count from the module's package."""
    if not node.level:
        return node.module or ""
    package = module.split(".") if is_package else module.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _source_of(module: str) -> Path | None:
    """The source file of a module of this package, or of one that is imported already; None where there is none.

    Nothing is imported to find it: torch must not be loaded to learn that nothing has changed.
    """
    if module.split(".")[0] == PACKAGE:
        place = _PACKAGE_FOLDER.joinpath(*module.split(".")[1:])
        candidates = [place.with_suffix(".py"), place / "__init__.py"]
    else:
        file = getattr(sys.modules.get(module), "__file__", None)
        candidates = [Path(file)] if file else []
    return next((each for each in candidates if each.suffix == ".py" and each.is_file()), None)


@functools.cache
def library_versions() -> dict[str, str]:
    """The installed versions of the libraries that numbers change with."""
    installed = {}
    for library in _NUMERIC_LIBRARIES:
        try:
            installed[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def _plain(value: Any) -> Any:
    """A value as JSON can hold it, with types kept apart."""
    if isinstance(value, BaseModel):
        return {"class": type(value).__qualname__, "fields": value.model_dump(mode="json", exclude_unset=True)}
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        read = {"reads": digest_of_collection(value.reads)} if hasattr(value, "reads") else {}
        code = digest_of_module(type(value).__module__)
        return {"class": type(value).__qualname__, "code": code, "fields": named, **read}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot take a digest of {type(value).__name__}")
