import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import Wanted

CAPTION = Wanted("caption", None, ("caption", "text"))


def test_a_usual_name_is_found_whatever_its_case():
    assert CAPTION.choose(["a", "TEXT"], "x") == "TEXT"


def test_a_name_goes_before_a_type_and_the_only_one_of_a_type_will_do():
    assert CAPTION.choose(["a", "b", "text"], "x", fitting=["a", "text"]) == "text"
    assert CAPTION.choose(["a", "b"], "x", fitting=["b"]) == "b"


def test_where_none_is_needed_none_is_chosen():
    free = Wanted("caption", None, ("caption", "text"), needed=False)
    assert free.choose(["a"], "x") is None
    assert free.choose(["caption", "text"], "x") is None


@pytest.mark.parametrize(
    ("columns", "fitting", "message"),
    [
        (["a", "b"], None, "x: found no column for the caption; name it as caption_column; its columns are: a, b"),
        (["a", "b"], ["a", "b"], "x: several columns may be the caption; name it"),
        (["text", "caption"], None, "x: several columns may be the caption; name it"),
        ([], None, "its columns are: none"),
    ],
)
def test_what_cannot_be_told_is_refused(columns, fitting, message):
    with pytest.raises(UserError, match=message):
        CAPTION.choose(columns, "x", fitting)


def test_a_usual_name_goes_before_a_preferred_type():
    label = Wanted("label", None, ("label", "class"), needed=False)
    assert label.choose(["label", "weather"], "x", preferred=["weather"]) == "label"
    assert label.choose(["label", "class", "weather"], "x", preferred=["class", "weather"]) == "class"
    assert label.choose(["breed", "weather"], "x", preferred=["weather"]) == "weather"
    assert label.choose(["breed", "weather"], "x", preferred=["breed", "weather"]) is None
    assert label.choose(["label", "class"], "x", preferred=["label", "class"]) is None
