from dataclasses import replace

import numpy as np
import pytest

from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.strategies.retrieve.by_text_and_image import ByTextAndImage
from retrieval_vs_diffusion.strategies.source import Surroundings

NAMES = ("red", "blue")
GENERATOR = {"type": "text_to_image", "prompts": ["a {name}"]}


@pytest.fixture
def part():
    entry = {"type": "best_of", "candidates_per_image": 3, "generator": GENERATOR}
    return build_part("retrieval_vs_diffusion.strategies.generate", entry, "here")


@pytest.fixture
def surroundings(diffusion, clip, red_and_blue) -> Surroundings:
    sampling = Sampling(steps=2, batch_size=4)
    resources = {"diffusion": diffusion, "sampling": sampling, "clip": clip, "originals": red_and_blue([0, 1, 0, 1])}
    return Surroundings(NAMES, "selected", ("toy", "selected", 0), resources)


def test_the_best_of_the_candidates_are_kept(part, surroundings):
    candidates = list(part.generator.propose({0: 6}, {0: 0}, surroundings))
    kept = list(part.propose({0: 2}, {0: 0}, surroundings))
    clip, images = surroundings.resources["clip"], surroundings.resources["originals"]
    pixels = images.pixels()
    own = clip.embed_images(pixels[images.labels() == 0]).mean(axis=0)
    own /= np.linalg.norm(own)
    prompts = clip.embed_texts([f"a photo of a {name}" for name in NAMES])
    scored = []
    for row in candidates:
        from retrieval_vs_diffusion.images import codec

        vector = clip.embed_images(codec.decode(row["image"]["bytes"])[None])[0]
        scored.append(((vector @ prompts.T).argmax() != 0, -float(vector @ own), row["image_id"]))
    assert [row["image_id"] for row in kept] == [image_id for *_, image_id in sorted(scored)[:2]]
    assert kept[0]["similarity"] == pytest.approx(-sorted(scored)[0][1], abs=1e-5)


@pytest.mark.parametrize(
    ("shown", "looks", "kept"),
    [
        # Six candidates of class 0: 1, 3 and 4 show it, and 4 looks best of them; 0 looks best of all.
        ((1, 0, 1, 0, 0, 1), (0.9, 0.2, 0.8, 0.1, 0.5, 0.7), [("4", 0.5), ("1", 0.2)]),
        # Where too few show the class, the others follow by look.
        ((1, 1, 1, 0, 1, 1), (0.9, 0.2, 0.8, 0.1, 0.5, 0.7), [("3", 0.1), ("0", 0.9)]),
    ],
)
def test_the_right_class_counts_before_the_best_look(part, surroundings, monkeypatch, shown, looks, kept):
    def scores(self, embedded, surroundings):
        assert len(embedded) == 6
        return np.array(shown), np.stack([np.array(looks), -np.array(looks)], axis=1)

    monkeypatch.setattr(ByTextAndImage, "scores", scores)
    rows = list(part.propose({0: 2}, {0: 0}, surroundings))
    assert [(row["image_id"].rsplit("/", 1)[1], row["similarity"]) for row in rows] == kept


def test_each_class_gets_what_it_wants_and_never_more(part, surroundings):
    assert list(part.propose({}, {}, surroundings)) == []
    kept = list(part.propose({1: 3, 0: 1}, {1: 0, 0: 5}, surroundings))
    assert [row["label"] for row in kept] == [1, 1, 1, 0]
    numbers = [int(row["image_id"].rsplit("/", 1)[1]) for row in kept]
    assert set(numbers[:3]) <= set(range(9))  # three of nine
    assert 15 <= numbers[3] < 18  # from 3 x 5 on, one of three


def test_a_class_with_nothing_to_start_from_gets_none(surroundings, red_and_blue):
    given = replace(surroundings, resources={**surroundings.resources, "originals": red_and_blue([0, 1])})
    restyle = {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}
    entry = {"type": "best_of", "candidates_per_image": 2, "generator": restyle}
    part = build_part("retrieval_vs_diffusion.strategies.generate", entry, "here")
    brought = red_and_blue([1], name="found")
    rows = list(part.propose({0: 2, 1: 2}, {0: 0, 1: 0}, replace(given, previous=brought)))
    assert [(row["label"], row["parent"]) for row in rows] == [(1, "found/0")] * 2


def test_images_asked_for_later_come_from_other_candidates(part, surroundings):
    first = {row["image_id"] for row in part.propose({0: 2, 1: 1}, {0: 0, 1: 0}, surroundings)}
    later = {row["image_id"] for row in part.propose({0: 2, 1: 1}, {0: 2, 1: 1}, surroundings)}
    assert len(first) == len(later) == 3
    assert not first & later


def test_a_kept_image_is_the_one_that_the_generator_makes_by_itself(part, surroundings):
    kept = {row["image_id"]: row["image"]["bytes"] for row in part.propose({1: 2}, {1: 0}, surroundings)}
    made = {row["image_id"]: row["image"]["bytes"] for row in part.generator.propose({1: 6}, {1: 0}, surroundings)}
    assert kept.items() <= made.items()
