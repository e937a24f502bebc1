"""What classes are called: labels as collections write them, and names as prompts and people want them."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.plain_text import plain_line

LONGEST_NAME = 500  # characters
_WORDNET_ID = re.compile(r"n\d{8}")
_SIGN = re.compile(r"-(?=\d)")
_NUMBERED = re.compile(r"\d{3}\.(.+?)(-101)?")  # Caltech's folders: 001.ak47, and 145.motorbikes-101 of its first set
# open_clip gives two ImageNet classes one name twice; these are the first words of WordNet for one of each pair.
_OF_A_PAIR = {"n04008634": "projectile", "n04355933": "sunglass"}


def class_name_of(label: str) -> str:
    """A class's name from its label.

    WordNet's numbers of ImageNet become open_clip's names, Caltech's numbers before a name are taken off, and
    underscores and hyphens are blanks, but for the sign of a number; what has none of these stays as it is, upper and
    lower case too. Control characters are taken away, and what UTF-8 cannot hold, as in names of folders in another
    encoding, is written out. Letters with accents come as one character, which macOS writes as two.

    >>> class_name_of("001.ak47"), class_name_of("golden_retriever"), class_name_of("Tabby cat")
    ('ak47', 'golden retriever', 'Tabby cat')
    """
    label = " ".join(unicodedata.normalize("NFC", plain_line(label)).split())
    if _WORDNET_ID.fullmatch(label):
        return _imagenet_names().get(label, label)
    if numbered := _NUMBERED.fullmatch(label):
        label = numbered[1]
    sign = "-" if _SIGN.match(label) else ""
    return sign + " ".join(re.sub(r"[_-]", " ", label).split())


def folded(name: str) -> str:
    """What a name has in common with other spellings of it: case and Unicode forms do not count.

    >>> folded("Caf\u00e9") == folded("cafe\u0301")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def class_names_of(labels: Iterable[str]) -> dict[str, str]:
    """Name of each label; labels in their order, each once.

    Raises:
        UserError: if there are fewer than two classes, a label says nothing or is a whole text, or two give one name,
            however it is spelled.
    """
    names = {label: class_name_of(label) for label in sorted(set(labels))}
    for label, name in names.items():
        if not name:
            raise UserError(f'target: the label "{label}" names no class; give its images a label, or leave them out')
        if len(name) > LONGEST_NAME:
            raise UserError(
                f'target: a label of {len(name):,} characters, "{name[:40]}...", is no name of a class; give its '
                "images another, or leave them out"
            )
    if len(names) < 2:
        found = f'only the class "{next(iter(names))}"' if names else "no class"
        raise UserError(f"target: found {found}; a classifier tells two classes or more apart")
    label_of: dict[str, str] = {}
    for label, name in names.items():
        other = label_of.setdefault(folded(name), label)
        if other != label:
            alike = unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", label)
            one, two = (ascii(each)[1:-1] if alike else each for each in (other, label))
            raise UserError(
                f'target: two classes of one name: "{one}" and "{two}" are both "{name}"; rename one, '
                "e.g. its folder or its label"
            )
    return names


@functools.cache
def _imagenet_names() -> dict[str, str]:
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data import ImageNetInfo

    return dict(zip(ImageNetInfo().label_names(), IMAGENET_CLASSNAMES, strict=True)) | _OF_A_PAIR
