"""Tar files in which an image and what is said of it share a name, as WebDataset and img2dataset write them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.part_names import part_of_file
from retrieval_vs_diffusion.images.collections.sidecars import APART, LARGEST_SIDECAR, SIDECARS, TWICE, described
from retrieval_vs_diffusion.images.collections.tar_members import BROKEN_SHARD, LARGEST_MEMBER, tar_members
from retrieval_vs_diffusion.images.image_files import ENDINGS
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import fetched_ahead

logger = logging.getLogger(__name__)
_DOTS = "a name with dots"


@part
class WebDataset:
    """Shards ``*.tar`` of ``key.jpg`` (png, webp, ...), ``key.txt``, ``key.json`` and ``key.cls``, read in one go.

    Files and folders named train, val or test are parts.

    Args:
        path: a shard, or a folder with shards in it or in its folders.
        label_key: the key in ``.json`` that holds the label; without it ``.cls`` does.
    """

    path: Path
    label_key: str | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The shard or folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """Key (shard and name), label, part and caption of each sample; images are passed over.

        Raises:
            UserError: if there are no shards.
        """
        yield from self._samples(None, Counter(), with_images=False)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The samples with their images; members that are refused and broken shards are counted."""
        yield from self._samples(only, faults if faults is not None else Counter(), with_images=True)

    def _samples(self, only: Container[str] | None, faults: Counter[str], with_images: bool) -> Iterator[Sample]:
        root = self.path if self.path.is_dir() else self.path.parent
        for shard in fetched_ahead(self._shards()):
            inside = shard.relative_to(root)
            prefix = inside.with_suffix("").as_posix()
            found = Counter[str]()
            seen: set[str] = set()
            alone: dict[str, set[str]] = {}  # endings of what stands without an image, by key
            for group in _groups(shard, prefix, only, found, with_images):
                if not group.has_image:
                    if group.key in seen:
                        faults.update(APART[ending] for ending in group.texts)
                    else:
                        alone.setdefault(group.key, set()).update(group.texts)
                    continue
                if group.key in seen:
                    found[TWICE] += 1
                    continue
                seen.add(group.key)
                # At once, and not when the shard is read: whoever must not use the image learns it before the next one.
                faults.update(APART[ending] for ending in alone.pop(group.key, ()))
                key = f"{prefix}/{group.key}"
                if only is not None and key not in only:
                    continue
                sample = described(key, group.texts, found, str(shard), self.label_key)
                if sample is not None:
                    yield replace(sample, image=group.image, part=part_of_file(inside))
            if alone:
                found["without an image"] += len(alone)
            if found[BROKEN_SHARD]:
                logger.warning("%s: is damaged or cut off; %d samples of it can be used", shard, len(seen))
            faults.update(found)

    def _shards(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        tars = (file for file in self.path.rglob("*") if file.suffix.lower() == ".tar" and file.name[0] != ".")
        found = sorted(file for file in tars if file.is_file())
        if not found:
            raise UserError(f"{self.path}: found no file that ends in .tar")
        return found


@dataclass
class _Group:
    """Members with one name that follow each other."""

    key: str
    has_image: bool = False
    image: bytes | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


def _groups(
    shard: Path, prefix: str, only: Container[str] | None, faults: Counter[str], with_images: bool
) -> Iterator[_Group]:
    def limit(name: PurePosixPath) -> int:
        key, ending = _split(name)
        if ending in SIDECARS:
            return LARGEST_SIDECAR
        wanted = with_images and (only is None or f"{prefix}/{key}" in only)
        return LARGEST_MEMBER if wanted and ending in ENDINGS else 0

    group: _Group | None = None
    for name, content in tar_members(shard, faults, limit):
        key, ending = _split(name)
        if name.name.startswith("."):
            continue
        if ending not in (*ENDINGS, *SIDECARS):
            if name.suffix.lower() in ENDINGS:  # the key would be what all of cat.0.jpg, cat.1.jpg, ... begin with
                faults[_DOTS] += 1
            continue
        if group is None or group.key != key:
            if group is not None:
                yield group
            group = _Group(key)
        if ending in SIDECARS:
            group.texts.setdefault(ending, content or b"")
        elif group.has_image:
            faults[TWICE] += 1
        else:
            group.has_image, group.image = True, content
    if group is not None:
        yield group


def _split(name: PurePosixPath) -> tuple[str, str]:
    """Key and ending; as in WebDataset, the ending begins at the first dot of the file's name."""
    stem, dot, ending = name.name.partition(".")
    return (name.parent / stem).as_posix() if stem else name.as_posix(), f"{dot}{ending}".lower()
