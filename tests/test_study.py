import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.study import read_study


def parameters(**changes):
    """A small world's parameters, with some of them changed."""
    return {
        "world": "toy",
        "target": {"reader": {"type": "rendered_digits"}, "per_class": 4},
        "pool": {"reader": {"type": "rendered_digit_pool"}},
        "clip": {"model": "toy_clip"},
        "diffusion": {"path": "toy_diffusion"},
        "screening": {"leak_similarity": 0.93},
        "strategies": {
            "original_only": None,
            "prompts": {"generate": {"type": "text_to_image"}, "added_per_original": 1.5},
            "text": {"retrieve": {"type": "by_text"}},
        },
        **changes,
    }


def test_strategies_come_in_their_order_in_the_yaml():
    study = read_study(parameters())
    assert study.chosen == ["original_only", "prompts", "text"]
    assert [study.strategies[name].arm for name in study.chosen] == ["neither", "generate", "retrieve"]


def test_only_picks_strategies_and_keeps_their_order():
    assert read_study(parameters(only="text + original_only")).chosen == ["original_only", "text"]


def test_all_picks_every_strategy_on_the_command_line_where_null_cannot_be_given():
    assert read_study(parameters(only="all")).chosen == ["original_only", "prompts", "text"]
    assert read_study(parameters(only=None)).chosen == ["original_only", "prompts", "text"]


def test_the_class_table_is_read_from_the_projects_folder(tmp_path):
    (tmp_path / "classes.csv").write_text("class,definition\nzero,round\n")
    study = read_study(parameters(classes={"path": "classes.csv"}), tmp_path)
    assert study.class_table.fields_of("zero") == {"name": "zero", "definition": "round"}
    assert read_study(parameters()).class_table.rows == {}


def test_a_strategy_that_only_does_not_find_is_answered_with_the_one_that_was_meant():
    with pytest.raises(UserError, match=r'only: there is no strategy "promts"; did you mean "prompts"\?'):
        read_study(parameters(only="promts"))


def test_a_strategy_with_a_plus_in_its_name_is_refused_for_only_could_not_name_it():
    strategies = {"text+prompts": {"generate": {"type": "text_to_image"}}}
    with pytest.raises(UserError, match=r"strategies"):
        read_study(parameters(strategies=strategies))


def test_images_added_are_counted_from_the_originals():
    study = read_study(parameters(added_per_original=3))
    assert study.added_per_original(study.strategies["text"]) == 3
    assert study.added_per_original(study.strategies["prompts"]) == 1.5  # its own


def test_what_is_redrawn_has_a_draw_of_its_own_in_each_repetition_and_all_else_is_shared():
    study = read_study(parameters(repetitions={"number": 3, "redraw": ["added_images", "classifier"]}))
    assert study.draws("added_images") == ["repetition_0", "repetition_1", "repetition_2"]
    assert study.draws("target_subset") == ["shared"]
    assert study.draw("personalisation", 2) == "shared"


def test_each_repetition_draws_its_own_target_subset_and_draws_it_again_the_same():
    study, again = read_study(parameters()), read_study(parameters())
    seeds = {study.subset_of(draw).seed for draw in study.draws("target_subset")}
    assert len(seeds) == 5  # the default number of repetitions
    assert study.subset_of("repetition_1") == again.subset_of("repetition_1")


def test_a_shared_target_subset_is_the_same_in_every_repetition():
    study = read_study(parameters(repetitions={"number": 3, "redraw": ["added_images", "classifier"]}))
    assert study.subset_of("repetition_0") == study.subset_of("repetition_2") == study.subset_of("shared")


def test_another_world_draws_another_subset():
    assert read_study(parameters()).subset_of("shared") != read_study(parameters(world="b")).subset_of("shared")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"repetitons": {}}, "parameters.repetitons: there is no such key here"),
        ({"repetitions": {"number": 0}}, "parameters.repetitions.number: found 0; input should be greater than"),
        ({"repetitions": {"redraw": ["everything"]}}, "parameters.repetitions.redraw.0: found 'everything'; input"),
        ({"screening": {}}, "parameters.screening.leak_similarity: is missing"),
        ({"sampling": {"steps": 0}}, "parameters.sampling.steps: found 0; input should be greater than"),
        ({"classifier": {"init": 3}}, "parameters.classifier.init: found 3; input should be a valid string"),
        ({"strategies": {"train": None}}, "strategies: train is the name of a pipeline; call the strategy otherwise"),
        ({"strategies": {"__default__": None}}, "strategies: __default__ is the name of a pipeline"),
        ({"strategies": {"all": None}}, "strategies: all is the name of a pipeline"),
        ({"strategies": {"size_curve": None}}, "strategies: size_curve is the name of a pipeline"),
        ({"strategies": {"leak_comparison": None}}, "strategies: leak_comparison is the name of a pipeline"),
        ({"strategies": {"added_images": None}}, "strategies: added_images is the name of a pipeline"),
        ({"strategies": {"size_curve.times_2": None}}, 'strategies: found the name "size_curve.times_2"; letters'),
        ({"size_curve": {"times_originals": [2, 0]}}, "parameters.size_curve.times_originals.1: found 0; input should"),
        ({"leak_comparison": {"arms": ["retrieval"]}}, "parameters.leak_comparison.arms.0: found 'retrieval'; input"),
        ({"added_images": {"added_shares": [1]}}, "parameters.added_images.added_shares.0: found 1; input should be"),
        ({"price": {"per_hour": -1}}, "parameters.price.per_hour: found -1; input should be greater than or equal"),
        ({"screening": {"leak_similarity": 0.9, "lets_leaks_through": True}}, "parameters.screening.lets_leaks_thr"),
        ({"strategies": {"a": {"variant": {"of": "b"}}}}, "strategies.a.variant: there is no such key here"),
        ({"personalisations": {"a": {"type": "lora"}}}, 'personalisations.a.type: found "lora"'),
        (
            {"personalisations": {"a.b": {"type": "denoiser"}}},
            'personalisations: found the name "a.b"; letters, digits',
        ),
        ({"classes": {"path": "no.csv"}}, "classes.path: cannot read"),
        ({"repetitions": {"redraw": []}}, "repetitions.redraw: found nothing, so all repetitions would be the same"),
        (
            {"repetitions": {"redraw": ["target_subset", "personalisation"]}},
            "repetitions.redraw: added_images is made from target_subset; add added_images, or take target_subset out",
        ),
        (
            {"repetitions": {"redraw": ["target_subset", "added_images"]}},
            "repetitions.redraw: personalisation is made from target_subset; add personalisation",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key_and_what_was_found(changes, message):
    with pytest.raises(UserError) as caught:
        read_study(parameters(**changes))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_is_compared_beside_the_table_may_be_left_out():
    study = read_study(parameters(size_curve={"times_originals": []}, leak_comparison={"arms": []}))
    assert study.parameters.size_curve.times_originals == study.parameters.leak_comparison.arms == ()


def test_one_repetition_needs_nothing_drawn_anew():
    study = read_study(parameters(repetitions={"number": 1, "redraw": []}))
    assert study.draws("classifier") == ["shared"]


@pytest.mark.parametrize(
    ("generate", "found"),
    [
        ({"type": "text_to_image", "sampling": {"stepz": 3}}, r"strategies\.a\.generate\.sampling\.stepz"),
        ({"type": "text_to_image", "prompts": ["a {nam}"]}, r"\{nam\}"),
        ({"type": "text_to_image", "prompts": []}, "prompts: found none"),
    ],
)
def test_a_mistake_in_a_part_is_found_before_anything_is_made(generate, found):
    with pytest.raises(UserError, match=found):
        read_study(parameters(strategies={"a": {"generate": generate}}))


def test_lists_may_be_joined_by_plus_as_the_command_line_gives_them():
    given = {"size_curve": {"times_originals": "0.5+2"}, "leak_comparison": {"arms": "retrieve"}}
    checked = read_study(parameters(**given)).parameters
    assert checked.size_curve.times_originals == (0.5, 2)
    assert checked.leak_comparison.arms == ("retrieve",)
    assert read_study(parameters(size_curve={"times_originals": 2})).parameters.size_curve.times_originals == (2,)
