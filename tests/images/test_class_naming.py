import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.class_naming import class_name_of, class_names_of


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("001.ak47", "ak47"),
        ("145.motorbikes-101", "motorbikes"),
        ("007.bat", "bat"),
        ("001.Black_footed_Albatross", "Black footed Albatross"),
        ("golden_retriever", "golden retriever"),
        ("T-shirt", "T shirt"),
        ("  tabby   cat ", "tabby cat"),
        ("1.5 litres", "1.5 litres"),
        ("3", "3"),
        ("-1", "-1"),
        ("-12_below", "-12 below"),
        ("-dash-2", "dash 2"),
        ("cafe\u0301", "caf\u00e9"),
        ("n01440764", "tench"),
        ("n15075141", "toilet paper"),
        ("n00000001", "n00000001"),  # none of ImageNet's 1,000
        ("n014407640", "n014407640"),
    ],
)
def test_names_by_label(label, name):
    assert class_name_of(label) == name


def test_imagenets_thousand_names_are_unique():
    from timm.data import ImageNetInfo

    labels = ImageNetInfo().label_names()
    names = class_names_of(labels)
    assert len(names) == len(set(names.values())) == 1000
    # open_clip calls both of each pair by one name; WordNet tells them apart.
    assert [names[each] for each in ("n03773504", "n04008634")] == ["missile", "projectile"]
    assert [names[each] for each in ("n04355933", "n04356056")] == ["sunglass", "sunglasses"]


def test_names_are_in_the_order_of_labels():
    assert list(class_names_of(["b_1", "a", "b_1"]).items()) == [("a", "a"), ("b_1", "b 1")]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], r"found no class; a classifier tells two classes or more apart"),
        (["cat"], r'found only the class "cat"; a classifier'),
        (["cat", ""], r'the label "" names no class; give its images a label'),
        (["cat", "__"], r'the label "__" names no class'),
        (["big_cat", "big-cat"], r'two classes of one name: "big-cat" and "big_cat" are both "big cat"; rename one'),
        (["Cat", "cat"], r'two classes of one name: "Cat" and "cat" are both "cat"; rename one'),
        (["stra\u00dfe", "STRASSE"], r'two classes of one name: "STRASSE" and "stra\u00dfe" are both'),
        (["caf\u00e9", "cafe\u0301"], r'of one name: "cafe\\u0301" and "caf\\xe9" are both "caf\u00e9"; rename one'),
    ],
)
def test_labels_that_make_no_classes_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        class_names_of(labels)
