import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.strategies.prompts import ENSEMBLES, check, expand, fields_used, fill

CAT = {"name": "cat", "definition": "a small felid"}


def test_fields_are_put_in_wherever_they_are_asked_for():
    assert fill("a {name} and a {name}", CAT) == "a cat and a cat"
    assert fill("a {name}, {definition}", CAT) == "a cat, a small felid"
    assert fill("", CAT) == ""
    assert fill("{{curly}} {name}", CAT) == "{curly} cat"


def test_what_is_put_in_is_text_and_is_not_filled_again():
    assert fill("a {name}", {"name": "{definition}", "definition": "x"}) == "a {definition}"


@pytest.mark.parametrize("fields", [{"name": "cat"}, {"name": "cat", "definition": ""}])
def test_a_class_that_lacks_a_field_is_named_with_the_field_and_the_template(fields):
    with pytest.raises(UserError) as caught:
        fill("a {name}, {definition}", fields)
    assert str(caught.value) == (
        'class "cat" has no definition, which the template "a {name}, {definition}" asks for: '
        "give it one in the class table (classes.path), or take the template out"
    )


@pytest.mark.parametrize(
    "template",
    [
        *("{nam}", "{}", "{0}", "a {name", "a name}", "{name:d}", "{name!z}", "{name.plural}", "{name[x]}"),
        *(
            "{name.__class__}",
            "{name.__class__.__mro__}",
            "{name!r:>30}",
            "{name!r}",
            "{name:>30}",
            "{name:{definition}}",
        ),
    ],
)
def test_a_template_that_asks_for_anything_else_is_refused_and_shown(template):
    with pytest.raises(UserError) as caught:
        check(["a {name}", template])
    assert str(caught.value).startswith(
        f'prompts: found "{template}"; what can be filled in is {{name}}, {{definition}}, {{hypernym}}, {{background}}'
    )


def test_templates_that_can_be_filled_come_through_as_they_are():
    whole = ("", "a {name}", "{definition} {hypernym} {background}", "scribble", *ENSEMBLES)
    assert check(whole) == whole
    with pytest.raises(UserError, match="prompts: found none"):
        check([])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("openai_imagenet_template", 'did you mean "openai_imagenet_templates"?'),
        ("imagenet_templates", 'did you mean "simple_imagenet_templates"?'),
        ("x_templates", "known are: openai_imagenet_templates, simple_imagenet_templates"),
    ],
)
def test_a_misspelt_ensemble_is_no_prompt(name, answer):
    with pytest.raises(UserError) as caught:
        check([name])
    assert str(caught.value) == f'prompts: found the ensemble "{name}"; {answer}'


def test_the_fields_that_templates_use_come_once_and_in_order():
    assert fields_used(["on {background}, a {name}", "a {name}"]) == ("name", "background")
    assert fields_used(["", "{{name}}"]) == ()
    assert fields_used(["openai_imagenet_templates"]) == ("name",)


def test_an_ensemble_is_written_out_where_it_stands():
    written = expand(["first {name}", "openai_imagenet_templates", "last"])
    assert len(written) == 1 + 80 + 1  # Radford et al. used 80 templates for ImageNet
    assert (written[0], written[-1]) == ("first {name}", "last")
    assert written[1] == "a bad photo of a {name}."
    assert len(set(written)) == 82
    assert check(written) == written  # each of them can be filled
    assert len(expand(["simple_imagenet_templates"])) == 7
