"""Captions for CIFAR-10's photographs as the web has them: as noisy as the base world's, in other words.

What cannot be known of a 32-pixel photograph (a breed, a make, a day) is not said, except as noise: the places are
drawn by class and not looked up, so they are true of the class rather than of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrieval_vs_diffusion.images.web_captions import GENERIC_SHARE, JUNK_SHARE, WRONG_CLASS_SHARE

CLASS_NAME_SHARE = 0.6  # of the captions that name a class; the others say a synonym


@dataclass(frozen=True)
class Vocabulary:
    """How people call the pictures of one class.

    Args:
        synonyms: other words for it.
        hypernyms: what it is a kind of; said by captions that do not name it.
        places: where such things are.
    """

    synonyms: tuple[str, ...]
    hypernyms: tuple[str, ...]
    places: tuple[str, ...]


_ANIMAL, _VEHICLE = ("an animal", "wildlife", "a cute animal"), ("a vehicle", "transport", "a big machine")
VOCABULARY = {
    "airplane": Vocabulary(
        ("plane", "aeroplane", "jet", "aircraft", "airliner"), _VEHICLE, ("in the sky", "at the airport", "on a runway")
    ),
    "automobile": Vocabulary(
        ("car", "motor car", "sedan", "passenger car"), _VEHICLE, ("on the road", "in a parking lot", "on the street")
    ),
    "bird": Vocabulary(
        ("wild bird", "little bird", "birdie", "feathered bird"), _ANIMAL, ("on a branch", "in a tree", "in the grass")
    ),
    "cat": Vocabulary(("kitten", "kitty", "house cat", "pussycat"), _ANIMAL, ("on a sofa", "in the house", "on a bed")),
    "deer": Vocabulary(("doe", "stag", "fawn", "wild deer"), _ANIMAL, ("in the forest", "in a field", "in the woods")),
    "dog": Vocabulary(("puppy", "doggy", "hound", "pet dog"), _ANIMAL, ("in the park", "on a leash", "in the garden")),
    "frog": Vocabulary(("toad", "little frog", "froggy"), _ANIMAL, ("on a leaf", "by the pond", "on the ground")),
    "horse": Vocabulary(("pony", "mare", "stallion", "foal"), _ANIMAL, ("in a field", "on a farm", "in the stable")),
    "ship": Vocabulary(
        ("boat", "vessel", "cargo ship", "yacht"), _VEHICLE, ("at sea", "in the harbour", "on the water")
    ),
    "truck": Vocabulary(
        ("lorry", "big truck", "delivery truck", "fire truck"), _VEHICLE, ("on the road", "on the highway", "at work")
    ),
}
_MANNERS = (
    "a photo of {a_name}",
    "a picture of {a_name}",
    "{a_name}",
    "{name}",
    "my {name}",
    "the {name}",
    "photo of {a_name} {place}",
    "{a_name} {place}",
    "{name} {place}",
    "a close-up photo of {a_name}",
    "a small photo of the {name}",
    "a low resolution photo of {a_name}",
    "a bad photo of {a_name}",
    "a good photo of the {name}",
    "look at this {name}",
    "stock photo: {name}",
)
_GENERIC = ("a picture", "image", "untitled", "a photo", "my album", "photo of the day", "thumbnail")
_JUNK = (
    "buy cheap shoes online",
    "free shipping today",
    "click here for more",
    "page not found",
    "best price guaranteed",
    "sign up for our newsletter",
)


def with_article(name: str) -> str:
    """``a cat``, ``an airplane``."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(shown: str, random: np.random.Generator) -> tuple[str, str]:
    """A caption for a photograph of a class: mostly true, sometimes wrong, generic or junk.

    Args:
        shown: the class that it shows, a key of ``VOCABULARY``.
        random: decides everything.

    Returns:
        The caption, and what it is: ``true``, ``wrong class``, ``generic`` or ``junk``.
    """
    draw = random.random()
    if draw < JUNK_SHARE:
        return _one_of(_JUNK, random), "junk"
    if draw < JUNK_SHARE + GENERIC_SHARE:
        return _one_of(_GENERIC + VOCABULARY[shown].hypernyms, random), "generic"
    named, kind = shown, "true"
    if draw < JUNK_SHARE + GENERIC_SHARE + WRONG_CLASS_SHARE:
        named, kind = _one_of(tuple(other for other in VOCABULARY if other != shown), random), "wrong class"
    words = VOCABULARY[named]
    name = named if random.random() < CLASS_NAME_SHARE else _one_of(words.synonyms, random)
    place = _one_of(words.places, random)
    return _one_of(_MANNERS, random).format(name=name, a_name=with_article(name), place=place), kind


def _one_of(choices: tuple[str, ...], random: np.random.Generator) -> str:
    return choices[int(random.integers(len(choices)))]
