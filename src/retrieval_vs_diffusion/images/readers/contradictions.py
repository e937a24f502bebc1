"""Pictures that a labelled collection holds under two labels: one of them is wrong, and nobody can say which."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

from retrieval_vs_diffusion.images.collections.collection import Collection
from retrieval_vs_diffusion.images.photo import LARGEST_BYTES
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.remote.remote_path import RemotePath

logger = logging.getLogger(__name__)
_EXAMPLES = 3
_NO_SIZE = 0


def contradictory(collection: Collection, keys: Set[str]) -> set[str]:
    """Keys of the pictures of which an exact copy, byte for byte, has another label. They are told in one warning.

    It is known before the first image is used, which costs one more reading of what lies in tables and tars, and of
    files as far as their size is that of a file with another label. Nothing is decoded, so that a copy in another
    encoding is found later. Single files in a store are not looked at, for each would be fetched once more.

    Args:
        collection: with labels.
        keys: of the samples that are looked at.
    """
    groups = list(_differing(_digests(collection, keys)))
    if groups:
        logger.warning(
            "target.reader: left out of all parts: %d images whose exact copies have another label, e.g. %s",
            sum(map(len, groups)),
            "; ".join(_told(each) for each in groups[:_EXAMPLES]),
        )
    return {key for group in groups for key in group}


def _told(group: Mapping[str, str]) -> str:
    """Two of the keys whose labels differ; as ASCII, for a terminal may show what is in a file's name."""
    (key, label), *others = group.items()
    other = next(each for each in others if each[1] != label)
    return " and ".join(f"{each[0]!a} ({each[1]!a})" for each in ((key, label), other))


def _differing(found: Iterable[tuple[bytes, str, str]]) -> Iterator[dict[str, str]]:
    """Label by key of those with one digest, where the labels are not one."""
    first: dict[bytes, tuple[str, str]] = {}
    copies: dict[bytes, dict[str, str]] = {}
    for digest, key, label in found:
        if digest in first:
            copies.setdefault(digest, dict([first[digest]]))[key] = label
        else:
            first[digest] = (key, label)
    yield from (dict(sorted(group.items())) for group in copies.values() if len(set(group.values())) > 1)


def _digests(collection: Collection, keys: Set[str]) -> Iterator[tuple[bytes, str, str]]:
    """Digest, key and label; of files only where the digest could be another's. No list of all files is held."""
    label_of_size: dict[int, str | None] = {}  # None for several labels
    for sample in _samples(collection, keys):
        if isinstance(sample.image, bytes):
            yield _digest(sample.image), sample.key, sample.label or ""
        elif sample.image is not None:
            label = label_of_size.setdefault(_size(sample.image), sample.label)
            if label != sample.label:
                label_of_size[_size(sample.image)] = None
    label_of_size.pop(_NO_SIZE, None)
    if None not in label_of_size.values():
        return
    for sample in _samples(collection, keys):
        if isinstance(sample.image, Path) and label_of_size.get(_size(sample.image), "") is None:
            digest = _digest_of_file(sample.image)
            if digest is not None:
                yield digest, sample.key, sample.label or ""


def _samples(collection: Collection, keys: Set[str]) -> Iterable[Sample]:
    return progress(collection.samples(keys, Counter()), "looking for copies under two labels", len(keys))


def _size(file: Path) -> int:
    """Bytes of a file that could be an image; ``_NO_SIZE`` for any other."""
    if isinstance(file, RemotePath):
        return _NO_SIZE
    try:
        size = file.stat().st_size if file.is_file() else _NO_SIZE  # a pipe would be waited for
    except (OSError, ValueError):  # the reader says why it cannot be read
        return _NO_SIZE
    return size if size <= LARGEST_BYTES else _NO_SIZE


def _digest_of_file(file: Path) -> bytes | None:
    try:
        return _digest(file.read_bytes())
    except OSError:
        return None


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]
