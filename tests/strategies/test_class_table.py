from pathlib import Path

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.strategies.class_table import ClassTable, read_class_table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(tmp_path):
    """Write a class table."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "classes.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_each_class_has_the_fields_that_are_not_empty(written):
    table = read_class_table(written("class,definition,background\nzero, round ,\none,,black\n"))
    assert table.fields_of("zero") == {"name": "zero", "definition": "round"}
    assert table.fields_of("one") == {"name": "one", "background": "black"}
    assert table.fields_of("two") == {"name": "two"}  # not in the table


def test_a_name_of_the_tables_own_stands_for_the_targets(written):
    table = read_class_table(written("class,name\nTinca,tench\n"))
    assert table.fields_of("Tinca")["name"] == "tench"


def test_a_class_may_be_called_as_its_folder_is_or_as_the_target_calls_it(written):
    table = read_class_table(written("class,definition\nn01440764,a fish\n001.ak47,a rifle\ngolden retriever,a dog\n"))
    assert table.fields_of("tench") == {"name": "tench", "definition": "a fish"}
    assert table.fields_of("ak47") == {"name": "ak47", "definition": "a rifle"}
    assert table.fields_of("golden retriever")["definition"] == "a dog"
    with pytest.raises(UserError, match='has the class "ak47" twice, again in line 3'):
        read_class_table(written("class,name\nak47,a\n001.ak47,b\n"))


def test_spreadsheets_byte_order_mark_blank_lines_quotes_and_line_ends_are_read(written):
    text = '\ufeffclass, definition\r\n\r\nzero,"round, ""closed""\nand plain"\r\none,lone\r\n'
    table = read_class_table(written(text))
    assert table.fields_of("zero")["definition"] == 'round, "closed"\nand plain'
    assert set(table.rows) == {"zero", "one"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,defintion\nzero,x\n", 'classes.csv has the column "defintion"; did you mean "definition"?'),
        ("name,definition\nzero,x\n", "lacks the column class"),
        ("", "lacks the column class"),
        ("class,name,name\nzero,a,b\n", "has a column twice: class, name, name"),
        ("class,name\nzero,a\none,b\n zero ,c\n", 'has the class "zero" twice, again in line 4'),
        ('class,name\n"zero","a\nb"\n\nzero,c\n', 'has the class "zero" twice, again in line 5'),  # as an editor counts
        ("class,name\nzero,a\none\n", "line 3 of"),
        ("class,definition\nzero,a, with a comma\n", "line 2 of"),
        ("class,name\n,a\n", "line 2 of"),
        ('class,name\nzero,"a\none,b\n', "cannot read"),  # a quote that is never closed would swallow all classes
        (b"class,name\nzero,\xff\n", "a CSV in UTF-8 will do"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_line(written, text, message):
    with pytest.raises(UserError) as caught:
        read_class_table(written(text))
    assert str(caught.value).startswith("classes.path: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(UserError, match=r"classes\.path: cannot read .*; a CSV in UTF-8 will do"):
        read_class_table(tmp_path / name)


def test_a_part_depends_on_the_fields_that_it_uses_and_on_no_other():
    table = ClassTable({"zero": {"definition": "round", "hypernym": "number"}})
    other = ClassTable({"zero": {"definition": "oval", "hypernym": "number"}, "one": {"definition": "lone"}})
    assert digest(table.only(["name", "hypernym"])) == digest(other.only(["name", "hypernym"]))
    assert digest(table.only(["definition"])) != digest(other.only(["definition"]))
    assert table.only(["name"]) == ClassTable()  # as if there were no table


def test_the_base_worlds_table_describes_each_of_its_classes(target):
    table = read_class_table(ROOT / "conf/base/classes.csv")
    assert set(table.rows) == set(target.class_names)
    for name in target.class_names:
        assert set(table.fields_of(name)) == {"name", "definition", "hypernym", "background"}


def test_a_class_that_only_the_table_knows_is_told_with_what_was_meant():
    table = ClassTable({"zero": {}, "zreo": {}})
    assert table.strangers(["zero", "one"]) == ['classes.path: the target has no class "zreo"; did you mean "zero"?']
