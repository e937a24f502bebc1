"""What a world has, and which strategies must do without."""

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.study import read_study
from retrieval_vs_diffusion.variants import size_curve
from retrieval_vs_diffusion.world_parts import told
from tests.test_study import parameters

STRATEGIES = {
    "original_only": None,
    "real": {"reuse": {"type": "held_back"}},
    "prompts": {"generate": {"type": "text_to_image"}},
    "defined": {"generate": {"type": "text_to_image", "prompts": ["a {hypernym}, {definition}"]}},
    "words": {"personalise": "words", "generate": {"type": "text_to_image"}},
    "text": {"retrieve": {"type": "by_text"}},
    "both": {"steps": [{"retrieve": {"type": "by_text"}}, {"generate": {"type": "text_to_image"}}]},
}
WORDS = {"words": {"type": "textual_inversion"}}

NO_DIFFUSION = "for want of a diffusion model (diffusion.path)"
NO_POOL = "for want of a pool (pool.path)"
NONE_HELD_BACK = "because no image is held back (target.per_class: all)"
NO_FIELDS = "for want of a class table with definition and hypernym (classes.path)"
POOL_OF_FOLDERS = {"reader": {"type": "captioned_images", "path": None}}


@pytest.fixture
def study_of(tmp_path):
    def make(table: str | None = "class,hypernym,definition\nzero,digit,round\n", **changes):
        if table is not None:
            (tmp_path / "classes.csv").write_text(table)
            changes["classes"] = {"path": "classes.csv"}
        return read_study(parameters(strategies=STRATEGIES, personalisations=WORDS, **changes), tmp_path)

    return make


def test_a_world_that_has_everything_leaves_nothing_out(study_of):
    study = study_of()
    assert study.left_out == {}
    assert study.chosen == list(STRATEGIES)
    assert study.has_pool


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"diffusion": {}}, dict.fromkeys(("prompts", "defined", "words", "both"), NO_DIFFUSION)),
        ({"pool": POOL_OF_FOLDERS}, dict.fromkeys(("text", "both"), NO_POOL)),
        ({"target": {"reader": {}, "per_class": "all"}}, {"real": NONE_HELD_BACK}),
        ({"table": None}, {"defined": NO_FIELDS}),
        (
            {"table": "class,definition\nzero,round\n"},
            {"defined": NO_FIELDS.replace("definition and hypernym", "hypernym")},
        ),
        (
            {"diffusion": {}, "pool": POOL_OF_FOLDERS, "table": None},
            {
                **dict.fromkeys(("prompts", "words"), NO_DIFFUSION),
                **{"defined": f"{NO_DIFFUSION} and {NO_FIELDS}", "text": NO_POOL},
                "both": f"{NO_DIFFUSION} and {NO_POOL}",
            },
        ),
    ],
)
def test_what_cannot_be_run_is_left_out_and_it_is_said_why(study_of, changes, left_out):
    study = study_of(**changes)
    assert study.left_out == left_out
    assert study.chosen == list(study.strategies) == [name for name in STRATEGIES if name not in left_out]


def test_a_share_or_a_number_holds_images_back(study_of):
    for per_class in (0.5, 3):
        assert study_of(target={"reader": {}, "per_class": per_class}).left_out == {}


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        ({"type": "rendered_digit_pool"}, True),  # which takes no path
        ({"type": "captioned_images", "path": "/pool"}, True),
        ({"type": "captioned_images", "path": None}, False),
    ],
)
def test_a_reader_without_the_path_that_it_takes_is_no_pool(study_of, reader, expected):
    assert study_of(pool={"reader": reader}).has_pool is expected


def test_the_reasons_are_told_once_each(study_of):
    study = study_of(diffusion={}, pool=POOL_OF_FOLDERS)
    assert told(study.left_out) == [
        f"left out {NO_DIFFUSION}: prompts, defined, words",
        f"left out {NO_POOL}: text",
        f"left out {NO_DIFFUSION} and {NO_POOL}: both",
    ]
    assert told({}) == []


def test_to_choose_what_is_left_out_alone_is_an_error_that_says_why(study_of):
    with pytest.raises(UserError) as caught:
        study_of(diffusion={}, only="words")
    assert str(caught.value) == f"only: words cannot be run here, {NO_DIFFUSION}"


def test_to_choose_it_among_others_runs_the_others(study_of):
    study = study_of(diffusion={}, only="words+original_only+text")
    assert study.chosen == ["original_only", "text"]
    assert "words" in study.left_out  # which is told when it runs


def test_a_name_that_is_no_strategy_is_no_left_out_one(study_of):
    with pytest.raises(UserError, match='only: there is no strategy "wrods"'):
        study_of(diffusion={}, only="wrods")


def test_where_nothing_is_held_back_the_curve_has_the_smaller_sizes_alone(study_of):
    asked = {"size_curve": {"times_originals": [0.5, 2]}}
    every = size_curve(study_of(target={"reader": {}, "per_class": "all"}, **asked))
    assert list(every.strategies) == ["size_curve.times_0_5"]
    assert list(size_curve(study_of(**asked)).strategies) == ["size_curve.times_0_5", "size_curve.times_2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": {"reader": {"type": "labelled_images", "path": None}, "per_class": 1}}, "target.path: is missing"),
        (
            {"target": {"reader": {"type": "rendered_digits"}, "path": "/x", "per_class": 1}},
            "target.path: rendered_digits, the reader of this world, takes none",
        ),
        (
            {"pool": {"reader": {"type": "rendered_digit_pool"}, "path": "/x"}},
            "pool.path: rendered_digit_pool, the reader of this world, takes none",
        ),
    ],
)
def test_a_path_that_is_missing_or_of_no_use_is_told(study_of, changes, message):
    with pytest.raises(UserError) as caught:
        study_of(**changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("per_class", [0, -1, 0.0, 1.5, "some"])
def test_a_number_of_originals_that_is_none_is_refused(study_of, per_class):
    with pytest.raises(UserError, match=r"parameters\.target\.per_class"):
        study_of(target={"reader": {}, "per_class": per_class})
