"""The command in the report, as a shell would take it."""

from __future__ import annotations

import shlex

import pytest

from retrieval_vs_diffusion.comparison.repeat_command import flat, repeat_command

EVERY = ("original_only", "more_real", "text")


def command(rows=("original_only", "text"), environment=None, **given) -> str:
    usual = ["original_only", "text"]
    repeat = {"environment": environment, "given": dict(flat(given)), "usual_rows": usual, "every_row": [*EVERY]}
    return repeat_command(repeat, rows)


def test_what_the_world_does_by_itself_is_not_said():
    assert command() == "kedro run"
    assert command(environment="test") == "kedro run --env=test"


@pytest.mark.parametrize(
    ("rows", "only"),
    [
        (("original_only", "text"), None),  # as in the world's files
        (("text", "original_only"), None),  # in whatever order
        (EVERY, "all"),
        (("original_only", "more_real"), "original_only+more_real"),
    ],
)
def test_the_rows_of_the_table_are_named(rows, only):
    assert command(rows) == ("kedro run" if only is None else f"kedro run --params only={only}")


def test_parameters_stand_in_one_order_lists_joined_by_plus_and_null_as_it_is_written():
    one = command(EVERY, size_curve={"times_originals": [0.5, 2]}, clip={"model": "ViT-B-32", "checkpoint": None})
    other = command(EVERY, clip={"checkpoint": None, "model": "ViT-B-32"}, size_curve={"times_originals": [0.5, 2]})
    assert one == other
    said = "only=all,clip.checkpoint=null,clip.model=ViT-B-32,size_curve.times_originals=0.5+2"
    assert one == f"kedro run --params {said}"


@pytest.mark.parametrize("path", ["/my photographs", "/it's $HOME; rm -rf x", "{rows} and a photo of a {name}", 'a"b'])
def test_a_shell_reads_what_was_given(path):
    said = command(target={"path": path}, classifier={"horizontal_flip": True, "learning_rate": 0.001})
    assert shlex.split(said) == [
        *("kedro", "run", "--params"),
        f"classifier.horizontal_flip=true,classifier.learning_rate=0.001,target.path={path}",
    ]
