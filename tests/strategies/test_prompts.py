import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.strategies.prompts import check, fill


def test_the_name_is_put_in_wherever_it_is_asked_for():
    assert fill("a {name} and a {name}", "cat") == "a cat and a cat"
    assert fill("", "cat") == ""
    assert fill("{{curly}} {name}", "cat") == "{curly} cat"


@pytest.mark.parametrize("template", ["{nam}", "{}", "a {name", "{name:d}", "{name!z}", "{name.plural}", "{name[x]}"])
def test_a_template_that_asks_for_anything_else_is_refused_and_shown(template):
    with pytest.raises(UserError) as caught:
        fill(template, "cat")
    assert str(caught.value).startswith(f'prompts: found "{template}"; the only field that can be filled is {{name}}')


def test_all_templates_are_checked_before_any_is_used():
    assert check(["a {name}", "the {name}"]) == ("a {name}", "the {name}")
    with pytest.raises(UserError, match=r"the \{nam\}"):
        check(["a {name}", "the {nam}"])


def test_no_templates_at_all_are_refused():
    with pytest.raises(UserError, match="prompts"):
        check([])
