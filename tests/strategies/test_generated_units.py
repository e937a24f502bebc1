"""Generated batches are units: a killed run makes none of the whole ones again, and ends with the same rows."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generate.image_to_image import ImageToImage
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
from retrieval_vs_diffusion.strategies.metering import metered
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import kept_in

WANTED, FIRST = {0: 2, 1: 3}, {0: 0, 1: 0}  # five images in batches of two: three units


@pytest.fixture
def world(diffusion, red_and_blue) -> Surroundings:
    resources = {
        "diffusion": diffusion,
        "sampling": Sampling(steps=2, batch_size=2),
        "originals": red_and_blue([0, 1]),
    }
    return Surroundings(("zero", "one"), "row", ("toy", "row", "repetition_0", 0), resources)


@pytest.fixture
def batches(monkeypatch) -> list[int]:
    """How many images each call of the diffusion model makes."""
    made: list[int] = []
    make = Diffusion._make

    def counted(self, pipeline, batch, *given):
        made.append(len(batch))
        return make(self, pipeline, batch, *given)

    monkeypatch.setattr(Diffusion, "_make", counted)
    return made


def table(rows) -> ImageTable:
    return ImageTable.from_rows(rows).table


@pytest.mark.parametrize("source", [TextToImage(), ImageToImage(strength=0.5, prompts=("a {name}",))])
def test_a_killed_run_goes_on_after_the_last_whole_batch(source, world, batches, tmp_path):
    whole = table(source.propose(WANTED, FIRST, world))
    assert batches == [2, 2, 1]
    batches.clear()
    with kept_in(tmp_path / "step" / "f"):
        # The second batch is made while the first one's images are encoded; then killed.
        list(islice(source.propose(WANTED, FIRST, world), 2))
    assert batches == [2, 2]
    with kept_in(tmp_path / "step" / "f"):
        assert table(source.propose(WANTED, FIRST, world)).equals(whole)
    assert batches == [2, 2, 1]  # the third batch alone was made


def test_what_is_asked_for_again_after_refusals_has_units_of_its_own(world, batches, tmp_path):
    source = TextToImage()
    rounds = [(WANTED, FIRST), ({1: 1}, {1: 3})]  # one image more of the second class
    whole = [table(source.propose(*each, world)) for each in rounds]
    batches.clear()
    for _ in range(2):
        with kept_in(tmp_path / "step" / "f"):
            assert [table(source.propose(*each, world)).equals(rows) for each, rows in zip(rounds, whole, strict=True)]
    assert batches == [2, 2, 1, 1]


def test_units_of_another_recipe_are_not_taken(world, batches, tmp_path):
    for source in (ImageToImage(strength=0.5), ImageToImage(strength=0.9)):
        with kept_in(tmp_path / "step" / "f"):
            made = table(source.propose({0: 2}, {0: 0}, world))
        assert made.equals(table(source.propose({0: 2}, {0: 0}, world)))
    assert batches == [2] * 4


def test_a_damaged_unit_is_made_again(world, batches, tmp_path):
    source = TextToImage()
    with kept_in(tmp_path / "step" / "f"):
        whole = table(source.propose(WANTED, FIRST, world))
    (unit,) = (tmp_path / "step" / "f").rglob("000001.*")
    data = bytearray(unit.read_bytes())
    data[len(data) // 3] ^= 0xFF
    unit.write_bytes(data)
    batches.clear()
    with kept_in(tmp_path / "step" / "f"):
        assert table(source.propose(WANTED, FIRST, world)).equals(whole)
    assert batches == [2]


def test_what_the_killed_run_spent_counts(world, device, tmp_path, diffusion):
    def spent(images: int) -> int:
        with kept_in(tmp_path / "step" / "f"), metered(device, diffusion) as cost:
            list(islice(TextToImage().propose(WANTED, FIRST, world), images))
        return cost().flops

    with metered(device, diffusion) as undisturbed:
        list(TextToImage().propose(WANTED, FIRST, world))
    killed, together = spent(2), spent(5)  # two of three batches, and the third
    assert 0 < killed < together
    assert together == pytest.approx(undisturbed().flops, rel=0.02)  # but for prompts that were encoded before


def test_batches_made_before_one_that_fails_are_kept_whole(world, batches, tmp_path, monkeypatch):
    whole = table(TextToImage().propose(WANTED, FIRST, world))
    batches.clear()
    make = Diffusion._make

    def fails_at_the_third(self, *given):
        if len(batches) == 2:
            raise KeyboardInterrupt
        return make(self, *given)

    with monkeypatch.context() as patched, kept_in(tmp_path / "step" / "f"):
        patched.setattr(Diffusion, "_make", fails_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            list(TextToImage().propose(WANTED, FIRST, world))
    assert [path.name[:6] for path in sorted((tmp_path / "step" / "f").rglob("0*.*"))] == ["000000", "000001"]
    with kept_in(tmp_path / "step" / "f"):
        assert table(TextToImage().propose(WANTED, FIRST, world)).equals(whole)
    assert batches == [2, 2, 1]


def test_an_image_that_cannot_be_encoded_is_told_with_its_own_words(world, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval_vs_diffusion.images.codec.encode", full)
    with kept_in(tmp_path / "step" / "f"), pytest.raises(OSError, match="No space left on device"):
        list(TextToImage().propose(WANTED, FIRST, world))
    assert not list(tmp_path.rglob("0*.*"))  # nothing that is not whole


def test_images_are_encoded_on_other_threads_and_stay_in_their_order(world, monkeypatch):
    threads, encode = set(), codec.encode

    def slow_for_the_first(pixels):
        threads.add(threading.current_thread().name)
        first_done.wait(0.05) if np.array_equal(pixels, first) else first_done.set()
        return encode(pixels)

    made = list(TextToImage().propose(WANTED, FIRST, world))
    model, sampling = world.resources["diffusion"], world.resources["sampling"]
    drawn = model.text_to_image([row["prompt"] for row in made], [row["seed"] for row in made], sampling)
    expected = [content_hash(pixels) for pixels in drawn]
    first, first_done = codec.decode(made[0]["image"]["bytes"]), threading.Event()
    monkeypatch.setattr("retrieval_vs_diffusion.images.codec.encode", slow_for_the_first)
    rows = list(TextToImage().propose(WANTED, FIRST, world))
    assert [row["content_hash"] for row in rows] == expected
    assert [row["image_id"].split("/")[-2:] for row in rows] == [
        *(["zero", "0"], ["zero", "1"]),
        *(["one", "0"], ["one", "1"], ["one", "2"]),
    ]
    assert {name.rsplit("_", 1)[0] for name in threads} == {"encoder"}
