import functools

import pytest
from pydantic import BaseModel

from retrieval_vs_diffusion.execution import digest as module
from retrieval_vs_diffusion.execution.digest import digest, digest_of_code, digest_of_module, digest_of_path
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
    monkeypatch.setattr(module, "_library_versions", lambda: {"torch": "0.1"})
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
