import functools
import os
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel

from retrieval_vs_diffusion.execution import digest as module
from retrieval_vs_diffusion.execution.digest import (
    digest,
    digest_of_code,
    digest_of_collection,
    digest_of_module,
    digest_of_path,
    state_of_path,
)
from retrieval_vs_diffusion.parts import part

CODE = '"""A module."""\n\n\ndef work(x):\n    """Add one."""\n    return x + 1  # one more\n'


@part
class Stir:
    """A part with a number."""

    times: int = 1


class Pan(BaseModel):
    size: int = 20


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Modules that can be written into the package for a test, and digested anew."""
    monkeypatch.setattr(module, "_PACKAGE_FOLDER", tmp_path)

    def digest_with(**modules: str) -> str:
        for name, code in modules.items():
            (tmp_path / f"{name}.py").write_text(code)
        for cached in (digest_of_module, module._read_module):
            cached.cache_clear()
        return digest_of_module("retrieval_vs_diffusion.toy")

    yield digest_with
    for cached in (digest_of_module, module._read_module):
        cached.cache_clear()


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("  # one more", ""),
        CODE.replace('"""Add one."""', '"""Add one to x.\n\n    In other words.\n    """'),
        CODE.replace('    """Add one."""\n', ""),
        CODE.replace('"""A module."""', "# what it does\n"),
        CODE.replace("return x + 1", "return (\n        x + 1\n    )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_change_a_modules_digest(package, same):
    assert package(toy=CODE) == package(toy=same)


@pytest.mark.parametrize("other", [CODE.replace("+ 1", "+ 2"), CODE.replace("(x)", "(x, y=0)"), CODE + "\nTHREE = 3\n"])
def test_code_changes_it(package, other):
    assert package(toy=CODE) != package(toy=other)


def test_a_docstring_of_anything_that_has_one_does_not_count(package):
    plain = "class A:\n    async def f(self):\n        return 1\n"
    described = 'class A:\n    """A."""\n\n    async def f(self):\n        """F."""\n        return 1\n'
    assert package(toy=plain) == package(toy=described)


def test_a_string_that_is_no_docstring_counts(package):
    assert package(toy="X = 'a'\n") != package(toy="X = 'b'\n")


@pytest.mark.parametrize(
    "line",
    [
        "from retrieval_vs_diffusion.spoon import stir",
        "from retrieval_vs_diffusion import spoon",
        "import retrieval_vs_diffusion.spoon",
        "def late():\n    from retrieval_vs_diffusion.spoon import stir\n    return stir",
        "from .spoon import stir",
        "from . import spoon",
    ],
)
def test_a_change_in_a_module_that_is_imported_counts(package, line):
    before = package(toy=f"{line}\n", spoon=CODE)
    assert package(spoon=CODE.replace("+ 1", "+ 2")) != before
    assert package(spoon=CODE.replace("Add", "Put")) != package(spoon=CODE.replace("+ 1", "+ 2"))
    assert package(spoon=CODE) == before


def test_a_change_two_imports_away_counts_and_circles_end(package):
    spoon, pot = "import retrieval_vs_diffusion.pot\n", "import retrieval_vs_diffusion.toy\nHEAT = {}\n"
    before = package(toy="import retrieval_vs_diffusion.spoon\n", spoon=spoon, pot=pot.format(1))
    assert package(pot=pot.format(2)) != before


def work(*ingredients, **how):
    """Stands for a node."""
    return ingredients, how


def test_values_bound_to_a_function_count():
    digests = {
        digest_of_code(work),
        digest_of_code(functools.partial(work, 1)),
        digest_of_code(functools.partial(work, 2)),
        digest_of_code(functools.partial(work, a=1)),
        digest_of_code(functools.partial(work, source=Stir(times=1))),
        digest_of_code(functools.partial(work, source=Stir(times=2))),
    }
    assert len(digests) == 6
    assert digest_of_code(functools.partial(work, source=Stir(2))) == digest_of_code(
        functools.partial(work, source=Stir(times=2))
    )


def test_a_part_counts_with_the_code_of_its_module(monkeypatch):
    before = digest_of_code(functools.partial(work, Stir()))
    real = module.digest_of_module
    changed = functools.partial(lambda name, own: "changed" if name == own else real(name), own=Stir.__module__)
    plain = digest(Stir())
    monkeypatch.setattr(module, "digest_of_module", changed)
    assert digest(Stir()) != plain
    assert digest_of_code(functools.partial(work, Stir())) != before


def test_the_versions_of_numeric_libraries_count(monkeypatch):
    before = digest_of_code(work)
    monkeypatch.setattr(module, "library_versions", lambda: {"torch": "0.1"})
    assert digest_of_code(work) != before


def test_equal_values_have_equal_digests_whatever_their_order_in_a_mapping():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": (2, 3), "a": 1})
    assert digest(Pan(size=3)) == digest(Pan(size=3))


@pytest.mark.parametrize(("one", "other"), [(1, 2), ("1", 1), (1, 1.5), (True, 1), (None, "None"), ([1, 2], [2, 1])])
def test_other_values_have_other_digests(one, other):
    assert digest(one) != digest(other)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(TypeError, match="cannot take a digest of object"):
        digest({"a": [object()]})


def test_a_folder_is_its_files_with_their_names(tmp_path):
    assert digest_of_path(tmp_path / "nothing") is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = digest_of_path(tmp_path / "a")
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    renamed = digest_of_path(tmp_path / "a")
    (tmp_path / "a" / "y").write_text("2")
    assert len({before, renamed, digest_of_path(tmp_path / "a"), digest_of_path(tmp_path / "a" / "y")}) == 4


# ---- what a user brings, which may be terabytes


@pytest.fixture
def collection(tmp_path):
    """Writes files under a folder and gives the digest of it."""

    def write(**files: bytes) -> str:
        for name, content in files.items():
            path = tmp_path / "collection" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return digest_of_collection([tmp_path / "collection"])

    return write


def test_of_a_small_collection_all_content_counts_and_dates_do_not(collection, tmp_path):
    first = collection(a=b"x" * 1000, deep__er__b=b"y" * 1000)
    os.utime(tmp_path / "collection" / "a", (1, 1))
    assert collection() == first
    in_the_middle = collection(a=b"x" * 500 + b"z" + b"x" * 499)
    assert in_the_middle != first
    assert collection(a=b"x" * 1000) == first
    assert collection(c=b"") != first  # an empty file has a name


def test_a_copy_is_the_same_collection_wherever_it_lies(collection, tmp_path):
    first = collection(a=b"1", deep__b=b"2")
    shutil.copytree(tmp_path / "collection", tmp_path / "copy")
    assert digest_of_collection([tmp_path / "copy"]) == first
    (tmp_path / "copy" / "a").rename(tmp_path / "copy" / "c")
    assert digest_of_collection([tmp_path / "copy"]) != first


def test_files_and_folders_may_be_named_and_what_is_not_there_has_no_files(collection, tmp_path):
    collection(a=b"1", b=b"2")
    folder = tmp_path / "collection"
    assert digest_of_collection([folder / "a"]) != digest_of_collection([folder / "b"])
    assert digest_of_collection([folder / "a", folder / "b"]) != digest_of_collection([folder / "b", folder / "a"])
    assert digest_of_collection([tmp_path / "nowhere"]) == digest_of_collection([])


@pytest.fixture(params=["many bytes", "many files"])
def large(request, monkeypatch):
    """Six bytes, or two files, are a large collection; two bytes of either end are looked at, of three files."""
    limits = {"_LARGE": 5, "_MANY": 100} if request.param == "many bytes" else {"_LARGE": 10**9, "_MANY": 1}
    for name, value in {**limits, "_END": 2, "_LOOKED_AT": 3}.items():
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, False),
        ({"a": b"12xx56"}, False),  # in the middle of a file, where nobody looks
        ({"a": b"1x3456"}, True),  # its beginning
        ({"a": b"1234x6"}, True),  # its end
        ({"a": b"12334456"}, True),  # its size, though both ends are the same
        ({"c": b"1"}, True),  # a file more
    ],
)
def test_of_a_large_one_names_sizes_and_ends_count(collection, tmp_path, change, counts):
    first = collection(a=b"123456", b="äöü".encode())
    os.utime(tmp_path / "collection" / "b", (1, 1))
    assert (collection(**change) != first) == counts


@pytest.mark.usefixtures("large")
def test_of_a_large_one_a_name_counts(collection, tmp_path):
    first = collection(a=b"123456", b=b"123456")
    (tmp_path / "collection" / "b").rename(tmp_path / "collection" / "c")
    assert collection() != first


def test_of_many_files_so_many_are_looked_at_spread_over_all(collection, monkeypatch):
    for name, value in {"_LARGE": 5, "_END": 2, "_LOOKED_AT": 3}.items():
        monkeypatch.setattr(module, name, value)
    files = {f"{number}": b"1234" for number in range(7)}
    first = collection(**files)
    # Of seven files every third is looked at: 0, 3 and 6.
    noticed = [name for name in files if collection(**{**files, name: b"x234"}) != first]
    assert noticed == ["0", "3", "6"]


@part
class Folder:
    """A part that reads files which its fields do not hold."""

    path: str

    @property
    def reads(self) -> list[Path]:
        return [Path(self.path)]


def test_what_a_part_reads_counts(tmp_path):
    (tmp_path / "a").write_text("1")
    before = digest(Folder(str(tmp_path)))
    assert digest(Folder(str(tmp_path))) == before
    (tmp_path / "a").write_text("2")
    assert digest(Folder(str(tmp_path))) != before


def test_a_file_or_a_folder_is_large_by_all_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 5)
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "deep" / "b").write_bytes(b"12")
    assert not module.is_large(tmp_path)
    (tmp_path / "deep" / "b").write_bytes(b"123")
    assert module.is_large(tmp_path)
    assert not module.is_large(tmp_path / "a")
    assert not module.is_large(tmp_path / "nothing")


def test_the_state_of_a_path_is_what_the_file_system_says(tmp_path):
    file = tmp_path / "folder" / "a"
    file.parent.mkdir()
    file.write_bytes(b"1")
    states = [state_of_path(tmp_path / "folder")]
    assert state_of_path(tmp_path / "folder") == states[0]
    os.utime(file, ns=(1, 1))
    states.append(state_of_path(tmp_path / "folder"))
    file.write_bytes(b"12")
    os.utime(file, ns=(1, 1))
    states.append(state_of_path(tmp_path / "folder"))
    file.rename(file.with_name("b"))
    states.append(state_of_path(tmp_path / "folder"))
    assert len(set(states)) == 4


def test_a_file_that_is_put_back_with_its_old_date_is_in_another_state(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    before, dates = state_of_path(file), file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert file.stat().st_mtime_ns == dates.st_mtime_ns
    assert state_of_path(file) != before  # the file system keeps when its entry was changed, too
