import unicodedata

import pytest

from retrieval_vs_diffusion.images.folder_names import folder_names


def test_plain_names_stay_as_they_are():
    plain = ["tabby cat", "St. Bernard", "n02123045", "crêpe", "猫", "tank_top (red), worn"]
    assert folder_names(plain) == plain


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("../etc", "___etc"),  # each of ".", "." and "/" is an underscore
        ("/etc/passwd", "_etc_passwd"),
        ("..", "__"),
        (".", "_"),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("C:\\x", "C__x"),
        ("a\x00b\n", "a_b_"),
        ("\x1b[31mred", "__31mred"),
        ("a\u202egnp.", "a_gnp_"),  # turns the order of letters around
        ("a\ud800", "a_"),  # half a letter, which UTF-8 cannot hold
        ("dog. ", "dog__"),  # Windows drops both
        ("", "class"),
        ("con", "_con"),
        ("NUL.png", "_NUL.png"),
        ("com1", "_com1"),
        ("console", "console"),
        ('a*?<>|:"b', "a_______b"),
    ],
)
def test_a_name_cannot_leave_its_folder_or_upset_a_file_system(hostile, safe):
    assert folder_names([hostile]) == [safe]


def test_minus_one_and_one_stay_apart():
    assert folder_names(["1", "-1"]) == ["1", "_1"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/b", "a:b", "a_b"], ["a_b", "a_b_1", "a_b_2"]),
        (["Dog", "dog", "DOG"], ["Dog", "dog_1", "DOG_2"]),
        (["é", unicodedata.normalize("NFD", "é")], ["é", "é_1"]),
        (["", "class"], ["class", "class_1"]),
        (["a/", "b", "a_", "a__2"], ["a_", "b", "a__2", "a__2_3"]),  # the third's is taken from the fourth
    ],
)
def test_names_that_collide_where_case_and_forms_do_not_count_are_told_apart_by_their_label(names, expected):
    assert folder_names(names) == expected


def test_a_name_made_by_a_collision_may_collide_again():
    # Label 2 makes "X_2", which is the first one's where case does not count.
    assert folder_names(["x_2", "x", "X"]) == ["x_2", "x", "X_2_"]


def test_long_names_are_cut_between_letters_and_stay_apart():
    long = ["猫" * 400, "猫" * 401, "a" * 400]
    names = folder_names(long)
    assert names[0] == "猫" * 33  # 3 bytes each: 33 * 3 = 99 of 100
    assert names[2] == "a" * 100
    assert len(set(names)) == 3
    assert all(len(name.encode()) <= 112 for name in names)
