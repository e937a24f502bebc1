import pytest

from retrieval_vs_diffusion.comparison.ledger import COLUMNS, COUNTS, ledger, short_of_asked, totals
from retrieval_vs_diffusion.images.screening import REASONS


def line(asked: int, used: int, topped_up: int = 0, **refused: int) -> dict[str, int]:
    """A class's line, as ``collect`` writes it."""
    reasons = {**dict.fromkeys(REASONS, 0), **refused}
    counts = {"asked": asked, "brought": used + sum(reasons.values()), **reasons}
    return {**counts, "topped_up": topped_up, "used": used, "short_by": asked - used}


# Retrieval above a floor leaves class one short, and generation fills it up but for one image.
FIRST = {"zero": line(4, 4, leak=1, topped_up=1), "one": line(4, 1, below_floor=3)}
SECOND = {"zero": line(0, 0), "one": line(3, 2, black=5, topped_up=4)}
BOTH = {
    "strategy": "both",
    "steps": ["retrieve", "generate"],
    "repetitions": [
        {"images_added": 7, "ledger": [FIRST, SECOND]},
        {
            "images_added": 8,
            "ledger": [{"zero": line(4, 4), "one": line(4, 4)}, {"zero": line(0, 0), "one": line(0, 0)}],
        },
    ],
}
NOTHING = {"strategy": "original_only", "steps": [], "repetitions": [{"images_added": 0, "ledger": []}] * 2}


def test_each_strategy_step_and_class_has_a_row_summed_over_repetitions():
    table = ledger([NOTHING, BOTH])
    assert table.columns.tolist() == list(COLUMNS)
    place = table[["strategy", "step", "kind", "class"]].to_numpy().tolist()
    assert place == [
        ["both", 1, "retrieve", "zero"],
        ["both", 1, "retrieve", "one"],
        ["both", 2, "generate", "zero"],
        ["both", 2, "generate", "one"],
    ]
    assert table["asked"].tolist() == [8, 8, 0, 3]  # 4 + 4, 4 + 4, 0 + 0, 3 + 0
    assert table["brought"].tolist() == [9, 8, 0, 7]  # 5 + 4, 4 + 4, 0, 7 + 0
    assert table["leak"].tolist() == [1, 0, 0, 0]
    assert table["below_floor"].tolist() == [0, 3, 0, 0]
    assert table["topped_up"].tolist() == [1, 0, 0, 4]
    assert table["short_by"].tolist() == [0, 3, 0, 1]


def test_every_row_adds_up():
    table = ledger([BOTH])
    assert (table["brought"] == table["used"] + table[list(REASONS)].sum(axis=1)).all()
    assert (table["asked"] == table["used"] + table["short_by"]).all()
    assert table["used"].sum() == sum(each["images_added"] for each in BOTH["repetitions"])  # both steps' images


def test_of_no_images_there_is_no_row():
    assert len(ledger([NOTHING])) == len(ledger([])) == 0
    assert ledger([]).columns.tolist() == list(COLUMNS)


def test_a_strategy_lacks_what_its_last_step_is_short_of():
    assert short_of_asked(BOTH) == (1, 16)  # 8 in each of two repetitions; 7 and 8 were added
    assert short_of_asked(NOTHING) == (0, 0)


def test_a_repetition_in_one_line_adds_up_over_steps_and_classes():
    summed = totals([FIRST, SECOND])
    assert set(summed) == set(COUNTS)
    assert (summed["brought"], summed["used"], summed["leak"], summed["below_floor"], summed["black"]) == (
        16,
        7,
        1,
        3,
        5,
    )
    assert summed["brought"] == summed["used"] + sum(summed[reason] for reason in REASONS)
    assert totals([]) == {}


def test_a_repetition_in_one_line_is_short_of_what_its_last_step_is():
    summed = totals([FIRST, SECOND])
    assert summed["short_by"] == 1  # the first step's three were left to the second
    assert summed["asked"] == 8 == summed["used"] + summed["short_by"]  # and are not asked for twice


@pytest.mark.parametrize("reason", REASONS)
def test_no_reason_is_left_out(reason):
    result = {
        "strategy": "a",
        "steps": ["generate"],
        "repetitions": [{"ledger": [{"zero": line(3, 1, **{reason: 7})}]}],
    }
    (row,) = ledger([result]).to_dict("records")
    assert (row[reason], row["brought"], row["short_by"]) == (7, 8, 2)
