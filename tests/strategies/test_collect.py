import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from retrieval_vs_diffusion.strategies.collect import collect, total
from retrieval_vs_diffusion.strategies.source import Surroundings

BLACK = "black"
BROKEN = "broken"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Shelf:
    """A source that has for each class some pictures in order: seeds of noise, or a fault."""

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
                yield row


@pytest.fixture
def gate() -> Gate:
    """Pictures 98 and 99 are validation and test images."""
    val, test = (ImageTable.from_rows([image_row(picture(seed), str(seed))]) for seed in (98, 99))
    return Gate(Screening(leak_similarity=0.93, rounds=3), fingerprint(val, test))


def around(classes: int, previous: ImageTable | None = None) -> Surroundings:
    return Surroundings(("zero", "one", "two")[:classes], "shelf", ("toy", "shelf", 0), previous=previous)


def test_where_nothing_is_refused_every_class_has_its_number_at_once(gate):
    images = collect(Shelf(((1, 2, 3), (4, 5))), per_class=2, surroundings=around(2), gate=gate)
    assert images.column("image_id") == ["0/0", "0/1", "1/0", "1/1"]
    line = {"asked": 2, "made": 2, "broken": 0, "black": 0, "duplicate": 0, "leak": 0}
    assert images.ledger["classes"]["zero"] == {**line, "topped_up": 0, "used": 2, "short_by": 0}
    assert images.ledger["seconds"] >= 0


def test_what_is_refused_is_counted_by_its_reason_and_replaced(gate):
    images = collect(Shelf(((1, BLACK, 1, 99, BROKEN, 2, 3, 4, 5),)), 5, around(1), gate)
    # round 1 asks for 5: picture 1, then black, duplicate, leak and broken; round 2 asks for the 4 that lack
    assert images.column("image_id") == ["0/0", "0/5", "0/6", "0/7", "0/8"]
    counts = images.ledger["classes"]["zero"]
    assert {reason: counts[reason] for reason in ("broken", "black", "duplicate", "leak")} == dict.fromkeys(
        ("broken", "black", "duplicate", "leak"), 1
    )
    assert (counts["made"], counts["topped_up"], counts["used"], counts["short_by"]) == (9, 4, 5, 0)


def test_an_image_is_asked_for_once_and_only_where_one_is_missing(gate):
    images = collect(Shelf(((BLACK, 1, 2), (3, 4, 5))), 2, around(2), gate)
    assert images.column("image_id") == ["0/1", "0/2", "1/0", "1/1"]  # class one needed no more
    assert images.ledger["classes"]["one"]["made"] == 2


def test_a_source_that_runs_out_leaves_a_shortfall_that_is_written_down(gate, caplog):
    caplog.set_level(logging.WARNING)
    images = collect(Shelf(((1, 2), (3, 4, 5, 6))), 4, around(2), gate)
    assert images.ledger["classes"]["zero"]["short_by"] == 2  # 4 asked, 2 there
    assert len(images) == 6
    assert "shelf: 2 of 8 images could not be brought" in caplog.text


def test_it_stops_asking_after_the_rounds_that_are_set(gate):
    images = collect(Shelf(((BLACK,) * 100,)), 2, around(1), gate)
    counts = images.ledger["classes"]["zero"]
    assert (counts["made"], counts["topped_up"], counts["short_by"]) == (6, 4, 2)  # 3 rounds of 2 images


def test_images_of_an_earlier_step_are_kept_and_count(gate):
    earlier = ImageTable.from_rows([image_row(picture(1), "earlier", label=0)])
    images = collect(Shelf(((1, 2, 3), (4, 5, 6))), 2, around(2, earlier), gate)
    assert images.column("image_id") == ["earlier", "0/1", "1/0", "1/1"]  # picture 1 again is a duplicate
    zero = images.ledger["classes"]["zero"]
    assert (zero["asked"], zero["duplicate"], zero["used"], zero["short_by"]) == (1, 1, 1, 0)


def test_a_step_that_finds_everything_there_asks_for_nothing(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=0) for n in range(2)])
    images = collect(Shelf(((),)), 2, around(1, earlier), gate)
    assert len(images) == 2
    assert (images.ledger["classes"]["zero"]["asked"], images.ledger["classes"]["zero"]["made"]) == (0, 0)


@dataclass(frozen=True)
class Repaint(Shelf):
    """A source that makes its images from those of the step before."""

    consumes_previous: ClassVar[bool] = True


def test_images_made_from_those_of_the_step_before_replace_them(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=0) for n in (1, 2)], {"seconds": 1.0})
    images = collect(Repaint(((3, BLACK, 4),)), 2, around(1, earlier), gate)
    assert images.column("image_id") == ["0/0", "0/2"]  # the black one is made again; nothing of the earlier is left
    assert images.ledger["classes"]["zero"]["asked"] == 2


def test_a_class_that_an_earlier_step_left_short_is_filled_up_and_no_other(gate):
    earlier = ImageTable.from_rows([image_row(picture(n), f"earlier/{n}", label=int(n > 1)) for n in (1, 2, 3)])
    images = collect(Shelf(((11, 12), (13, 14), (15, 16, 17))), 2, around(3, earlier), gate)
    assert images.column("image_id") == ["earlier/1", "0/0", "earlier/2", "earlier/3", "2/0", "2/1"]
    assert [each["asked"] for each in images.ledger["classes"].values()] == [1, 0, 2]
    assert images.labels().tolist() == [0, 0, 1, 1, 2, 2]


def test_the_seconds_of_all_steps_add_up(gate):
    first = collect(Shelf(((1,),)), 2, around(1), gate)
    first.ledger["seconds"] = 100.0
    second = collect(Shelf(((2, 3),)), 2, around(1, first), gate)
    assert 100 < second.ledger["seconds"] < 101
    second.ledger["seconds"] = 130.0
    third = collect(Repaint(((4, 5),)), 2, around(1, second), gate)
    assert 130 < third.ledger["seconds"] < 131  # also of those whose images were replaced


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
        collect(Eager(), 2, around(2, full), gate)


def test_the_ledger_is_summed_over_classes_and_can_be_written_as_json(gate):
    images = collect(Shelf(((BLACK, 1), (BLACK, BLACK, 2))), 1, around(2), gate)
    assert total(images.ledger, "black") == 3  # one of class zero, two of class one
    assert total(images.ledger, "used") == 2
    assert total({}, "used") == 0
    assert json.loads(json.dumps(images.ledger)) == images.ledger
