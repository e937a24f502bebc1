import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from retrieval_vs_diffusion.images import spooled_rows
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.screening import REASONS, Gate, Screening, fingerprint
from retrieval_vs_diffusion.strategies.collect import EXAMPLES, Collected, collect, steps_of, total
from retrieval_vs_diffusion.strategies.source import Surroundings

BLACK = "black"
BROKEN = "broken"
BELOW = "below_floor: similarity 0.100 is under 0.5"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Shelf:
    """A source that has for each class some pictures in order: seeds of noise, or a fault.

    What its floor keeps out is shown as long as images are missing, as ``ranked_rows`` does.
    """

    shelves: tuple[tuple[int | str, ...], ...]
    needs: ClassVar[tuple[str, ...]] = ()

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict]:
        for label, count in wanted.items():
            for number, what in enumerate(self.shelves[label][first[label] : first[label] + count], first[label]):
                pixels = np.zeros((16, 16, 3), np.uint8) if isinstance(what, str) else picture(what)
                row = image_row(pixels, f"{label}/{number}", label=label)
                if what == BROKEN:
                    row["image"]["bytes"] = b""
                yield {**row, "refused": BELOW} if what == BELOW else row


@pytest.fixture
def gate() -> Gate:
    """Pictures 98 and 99 are validation and test images."""
    val, test = (ImageTable.from_rows([image_row(picture(seed), str(seed))]) for seed in (98, 99))
    return Gate(Screening(leak_similarity=0.93, rounds=3), fingerprint(val, test))


def around(classes: int, previous: ImageTable | None = None) -> Surroundings:
    return Surroundings(("zero", "one", "two")[:classes], "shelf", ("toy", "shelf", 0), previous=previous)


def lines(collected: Collected, step: int = -1) -> dict[str, dict[str, int]]:
    """What a step's ledger says of each class."""
    return collected.images.ledger["steps"][step]["classes"]


def adds_up(line: dict[str, int]) -> bool:
    """Whether all that was brought is accounted for, and all that was asked for."""
    refused = sum(line[reason] for reason in REASONS)
    return line["brought"] == line["used"] + refused and line["asked"] == line["used"] + line["short_by"]


def test_where_nothing_is_refused_every_class_has_its_number_at_once(gate):
    collected = collect(Shelf(((1, 2, 3), (4, 5))), per_class=[2, 2], surroundings=around(2), gate=gate)
    assert collected.images.column("image_id") == ["0/0", "0/1", "1/0", "1/1"]
    line = {"asked": 2, "brought": 2, **dict.fromkeys(REASONS, 0), "topped_up": 0, "used": 2, "short_by": 0}
    assert lines(collected) == {"zero": line, "one": line}
    assert len(collected.refused) == 0


def test_what_is_refused_is_counted_by_its_reason_and_replaced(gate):
    collected = collect(Shelf(((1, BLACK, 1, 99, BROKEN, 2, 3, 4, 5),)), [5], around(1), gate)
    # round 1 asks for 5: picture 1, then black, duplicate, leak and broken; round 2 asks for the 4 that lack
    assert collected.images.column("image_id") == ["0/0", "0/5", "0/6", "0/7", "0/8"]
    line = lines(collected)["zero"]
    assert {reason: line[reason] for reason in REASONS} == {
        **dict.fromkeys(REASONS, 1),
        **{"below_floor": 0, "dead": 0},
    }
    assert (line["asked"], line["brought"], line["topped_up"], line["used"], line["short_by"]) == (5, 9, 4, 5, 0)
    assert adds_up(line)


def test_an_image_is_asked_for_once_and_only_where_one_is_missing(gate):
    collected = collect(Shelf(((BLACK, 1, 2), (3, 4, 5))), [2, 2], around(2), gate)
    assert collected.images.column("image_id") == ["0/1", "0/2", "1/0", "1/1"]  # class one needed no more
    assert lines(collected)["one"]["brought"] == 2


def test_a_source_that_runs_out_leaves_a_shortfall_that_is_written_down(gate, caplog):
    caplog.set_level(logging.WARNING)
    collected = collect(Shelf(((1, 2), (3, 4, 5, 6))), [4, 4], around(2), gate)
    assert lines(collected)["zero"]["short_by"] == 2  # 4 asked, 2 there
    assert len(collected.images) == 6
    assert "shelf: 2 of 8 images could not be brought" in caplog.text


def test_it_stops_asking_after_the_rounds_that_are_set(gate):
    collected = collect(Shelf(((BLACK,) * 100,)), [2], around(1), gate)
    line = lines(collected)["zero"]
    assert (line["brought"], line["topped_up"], line["short_by"]) == (6, 4, 2)  # 3 rounds of 2 images
    assert adds_up(line)


def test_what_a_floor_keeps_out_is_counted_and_never_used(gate):
    collected = collect(Shelf(((1, 2, BELOW, BELOW, 5), (6, 7, 8, 9))), [4, 4], around(2), gate)
    assert collected.images.column("image_id") == ["0/0", "0/1", "1/0", "1/1", "1/2", "1/3"]
    line = lines(collected)["zero"]
    assert (line["brought"], line["below_floor"], line["used"], line["short_by"]) == (4, 2, 2, 2)
    assert adds_up(line)
    # Nothing above the floor is left, so the class is not asked for again, whatever else is refused.
    assert line["topped_up"] == 0


def test_a_floor_that_is_met_when_topping_up_leaves_the_class_short(gate):
    collected = collect(Shelf(((1, 99, 98, BELOW, BELOW, 5),)), [3], around(1), gate)
    # round 1: picture 1 and two leaks; round 2 asks for 2 more and is shown what the floor keeps out
    line = lines(collected)["zero"]
    assert (line["leak"], line["below_floor"], line["used"], line["short_by"]) == (2, 2, 1, 2)
    assert (line["brought"], line["topped_up"]) == (5, 2)
    assert adds_up(line)


def test_every_class_may_be_asked_for_another_number(gate):
    collected = collect(Shelf(((1, 2, 3), (4, 5, 6, 7), (8,))), [1, 3, 0], around(3), gate)
    assert collected.images.column("image_id") == ["0/0", "1/0", "1/1", "1/2"]
    assert [line["asked"] for line in lines(collected).values()] == [1, 3, 0]


DEAD = "dead: HTTP 404"


@dataclass(frozen=True)
class Links(Shelf):
    """A source of links: it goes on over dead ones until it has what is wanted, and tells of them."""

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict]:
        for label, count in wanted.items():
            shelf, alive = self.shelves[label], 0
            for number in range(first[label], len(shelf)):
                if alive == count:
                    break
                if shelf[number] == DEAD:
                    about = {"image_id": f"{label}/{number}", "content_hash": "", "image": None}
                    yield {**about, "label": label, "refused": DEAD}
                else:
                    alive += 1
                    yield image_row(picture(shelf[number]), f"{label}/{number}", label=label)


def test_dead_links_are_counted_and_are_no_part_of_what_was_asked_of_the_source(gate):
    collected = collect(Links(((DEAD, 1, DEAD, 99, 2, DEAD, 3), (DEAD, DEAD))), [3, 1], around(2), gate)
    # Round 1 asks for three and is brought 1, a leak and 2, and the dead ones on the way; round 2 brings 3.
    assert collected.images.column("image_id") == ["0/1", "0/4", "0/6"]
    zero, one = lines(collected).values()
    assert {key: zero[key] for key in ("asked", "brought", "leak", "dead", "topped_up", "used", "short_by")} == {
        **{"asked": 3, "brought": 7, "leak": 1, "dead": 3, "topped_up": 2, "used": 3, "short_by": 0}
    }
    assert (one["brought"], one["dead"], one["used"], one["short_by"]) == (2, 2, 0, 1)
    assert adds_up(zero)
    assert adds_up(one)
    assert [refused.partition(":")[0] for refused in collected.refused.column("refused")] == [
        "leak"
    ]  # one with a picture


def test_more_alive_images_than_were_asked_for_are_too_many_however_many_links_are_dead(gate):
    class Eager:
        needs: ClassVar[tuple[str, ...]] = ()

        def propose(self, wanted, first, surroundings):
            yield {"image_id": "d", "content_hash": "", "image": None, "label": 0, "refused": DEAD}
            yield from (image_row(picture(n), str(n), label=0) for n in range(3))

    with pytest.raises(ValueError, match="its source brought 3 images of class 0, asked for 2"):
        collect(Eager(), [2], around(1), gate)


def test_a_few_refused_images_of_each_class_and_reason_are_kept_with_why(gate):
    collected = collect(Shelf(((BLACK,) * 6 + (99, BELOW), (1, BROKEN, 3))), [9, 9], around(2), gate)
    refused = list(zip(collected.refused.labels().tolist(), collected.refused.column("refused"), strict=True))
    assert [each for each in refused if each[1] == "black"] == [(0, "black")] * EXAMPLES  # of six
    assert {reason.partition(":")[0] for label, reason in refused if label == 0} == {"black", "leak", "below_floor"}
    assert [reason for label, reason in refused if label == 1] == ["broken"]
    assert any(reason.startswith("leak: correlates 1.00 with test image 99") for _, reason in refused)
    assert lines(collected)["zero"]["black"] == 6  # the count is of all
    assert collected.images.column("refused") == [None] * 2


def test_images_of_an_earlier_step_are_kept_and_count(gate):
    earlier = ImageTable.from_rows([image_row(picture(1), "earlier", label=0)])
    collected = collect(Shelf(((1, 2, 3), (4, 5, 6))), [2, 2], around(2, earlier), gate)
    assert collected.images.column("image_id") == ["earlier", "0/1", "1/0", "1/1"]  # picture 1 again is a duplicate
    zero = lines(collected)["zero"]
    assert (zero["asked"], zero["duplicate"], zero["used"], zero["short_by"]) == (1, 1, 1, 0)
    assert adds_up(zero)


def test_a_step_that_finds_everything_there_asks_for_nothing(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=0) for n in range(2)])
    for per_class in (1, 2):  # also where there are more than it would ask for
        collected = collect(Shelf(((),)), [per_class], around(1, earlier), gate)
        assert len(collected.images) == 2
        zero = lines(collected)["zero"]
        assert (zero["asked"], zero["brought"], zero["used"], zero["short_by"]) == (0, 0, 0, 0)


@dataclass(frozen=True)
class Repaint(Shelf):
    """A source that makes its images from those of the step before."""

    consumes_previous: ClassVar[bool] = True


def test_images_made_from_those_of_the_step_before_replace_them(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=0) for n in (1, 2)])
    collected = collect(Repaint(((3, BLACK, 4),)), [2], around(1, earlier), gate)
    # the black one is made again; nothing of the earlier is left
    assert collected.images.column("image_id") == ["0/0", "0/2"]
    assert lines(collected)["zero"]["asked"] == 2
    assert adds_up(lines(collected)["zero"])


def test_a_class_that_an_earlier_step_left_short_is_filled_up_and_no_other(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=int(n > 1)) for n in (1, 2, 3)])
    collected = collect(Shelf(((11, 12), (13, 14), (15, 16, 17))), [2, 2, 2], around(3, earlier), gate)
    assert collected.images.column("image_id") == ["earlier/1", "0/0", "earlier/2", "earlier/3", "2/0", "2/1"]
    assert [each["asked"] for each in lines(collected).values()] == [1, 0, 2]
    assert collected.images.labels().tolist() == [0, 0, 1, 1, 2, 2]


def test_the_ledger_has_an_entry_for_every_step_and_each_adds_up(gate):
    # Class zero: pictures 1 and 2, a leak, then the floor. Class one: a broken file is replaced.
    found = collect(Shelf(((1, 2, 99, BELOW), (4, BROKEN, 6, 7, 8))), [4, 4], around(2), gate)
    # A gate of its own for every step, as each step is a node of its own.
    again = Gate(gate.settings, fingerprint(*(ImageTable.from_rows([image_row(picture(n), str(n))]) for n in (98, 99))))
    filled = collect(Shelf(((1, BLACK, 12, 13), ())), [4, 4], around(2, found.images), again)
    first, second = (lines(filled, step) for step in (0, 1))
    assert first == lines(found)  # what a later step adds changes nothing of the earlier one
    assert (first["zero"]["used"], first["zero"]["short_by"], first["zero"]["below_floor"]) == (2, 2, 1)
    assert (first["one"]["broken"], first["one"]["topped_up"], first["one"]["short_by"]) == (1, 1, 0)
    # asked for the 2 that lack: picture 1 is there already, then a black one; both are replaced
    assert (second["zero"]["asked"], second["zero"]["duplicate"], second["zero"]["black"]) == (2, 1, 1)
    assert (second["zero"]["topped_up"], second["zero"]["used"], second["zero"]["short_by"]) == (2, 2, 0)
    assert (second["one"]["asked"], second["one"]["brought"]) == (0, 0)
    for step in (first, second):
        assert all(adds_up(line) for line in step.values())
    used = sum(line["used"] for step in (first, second) for line in step.values())
    assert used == len(filled.images) == 8
    repainted = collect(Repaint(((21, 22, 23), (24, 25, 26))), [3, 3], around(2, filled.images), again)
    assert steps_of(repainted.images)[:2] == steps_of(filled.images)  # also of those whose images were replaced
    assert len(steps_of(repainted.images)) == 3


@dataclass(frozen=True)
class Slow(Shelf):
    """A source that takes its time to find out that it has nothing left."""

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict]:
        time.sleep(0.02)
        yield from Shelf.propose(self, wanted, first, surroundings)


def test_bringing_and_screening_are_timed_apart_and_a_search_in_vain_counts(gate):
    seconds = steps_of(collect(Slow(((1,),)), [2], around(1), gate).images)[0]["seconds"]
    assert set(seconds) == {"bring", "screen"}
    assert seconds["bring"] >= 0.04  # one search that finds picture 1, one that finds nothing
    assert seconds["screen"] > 0


@pytest.mark.parametrize(("label", "brought"), [(0, 3), (1, 1), (7, 1)])
def test_a_source_that_brings_what_nobody_asked_for_is_named(gate, label, brought):
    class Eager:
        needs: ClassVar[tuple[str, ...]] = ()

        def propose(self, wanted, first, surroundings):
            yield from (image_row(picture(n), str(n), label=label) for n in range(brought))

    full = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=1) for n in (20, 21)])
    asked = 2 if label == 0 else 0
    with pytest.raises(
        ValueError, match=f"shelf: its source brought {brought} images of class {label}, asked for {asked}"
    ):
        collect(Eager(), [2, 2], around(2, full), gate)


def test_a_reason_that_the_ledger_does_not_know_is_named(gate):
    class Choosy:
        needs: ClassVar[tuple[str, ...]] = ()

        def propose(self, wanted, first, surroundings):
            yield image_row(picture(1), "1", label=0, refused="ugly: its colours")

    with pytest.raises(ValueError, match=r"shelf: its source refuses images as \['ugly'\]; the reasons are .*below_fl"):
        collect(Choosy(), [2], around(1), gate)


def test_the_ledger_is_summed_over_classes_and_can_be_written_as_json(gate):
    images = collect(Shelf(((BLACK, 1), (BLACK, BLACK, 2))), [1, 1], around(2), gate).images
    (step,) = steps_of(images)
    assert total(step, "black") == 3  # one of class zero, two of class one
    assert total(step, "used") == 2
    assert json.loads(json.dumps(images.ledger)) == images.ledger
    assert steps_of(None) == steps_of(images.take([0])) == []  # a part of the images is no step's work


def test_images_that_memory_would_not_hold_are_collected_in_a_file_to_the_same_table(gate, monkeypatch):
    shelf = Shelf(((1, BLACK, 3, 4, 5), (11, 12, 99, 14)))
    earlier = ImageTable.from_rows([image_row(picture(20), "earlier", label=1)])
    here = collect(shelf, [4, 3], around(2, earlier), gate)
    monkeypatch.setattr(spooled_rows, "_IN_MEMORY_UP_TO", 1)  # byte
    again = Gate(gate.settings, fingerprint(*(ImageTable.from_rows([image_row(picture(n), str(n))]) for n in (98, 99))))
    there = collect(shelf, [4, 3], around(2, earlier), again)
    assert there.images._shards is not None
    assert here.images._shards is None
    assert there.images.table.equals(here.images.table)
    assert there.refused.table.equals(here.refused.table)
    assert lines(there) == lines(here)
    assert here.images.column("image_id") == ["0/0", "0/2", "0/3", "0/4", "earlier", "1/0", "1/1"]
