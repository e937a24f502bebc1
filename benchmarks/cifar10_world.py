"""The raw files of a study on CIFAR-10: a target as folders of images, and a pool of captioned shards.

    python benchmarks/cifar10_world.py ../shared/data/cifar10.tar.xz data/cifar10/01_raw    # 20 seconds

The archive holds ``train/<class>/NNNN.jpg`` and ``test/<class>/NNNN.jpg``. What comes of it:

- ``target/{train,val,test}/<class>/NNNN.jpg``, the archive's own bytes and numbers. ``test`` is CIFAR-10's own test
  set; ``train`` and ``val`` are drawn from its training images. Of ``train`` a repetition learns from some and
  holds back the others, as ``more_real`` and for the size curve.
- ``pool/00000.tar``, ...: every other training image in img2dataset's layout (``key.jpg``, ``key.txt``,
  ``key.json``), captioned (cifar10_captions.py) and changed (cifar10_edits.py) as on the web, in random order; some
  are there twice, edit and caption drawn anew. Beside img2dataset's own fields the JSON says ``class``
  (the true one), ``edit`` (what was done to the picture), ``caption_kind`` and ``duplicate_of`` (a key, or null).
- ``README.md`` with the counts.

The same archive, sizes and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cifar10_captions import VOCABULARY, caption
from cifar10_edits import edited
from PIL import Image

from retrieval_vs_diffusion.atomic import replacing
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.seeds import derive_seed

TRAIN_PER_CLASS = 250  # 50 that a repetition learns from, and 200 more for a size curve up to 5 times as many
VAL_PER_CLASS = 100
DUPLICATE_SHARE = 0.03  # of the pool's pictures are there a second time
SHARD_SAMPLES = 10_000  # as img2dataset has it
_TITLE = "# Raw files of the study on CIFAR-10"
_PARTS = ("train", "val", "test", "pool")
_MEMBER = re.compile(r"(train|test)/([^/]+)/(\d+)\.jpe?g")


def main() -> None:
    """Write target, pool and README, and print the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train-per-class", type=int, default=TRAIN_PER_CLASS)
    parser.add_argument("--val-per-class", type=int, default=VAL_PER_CLASS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        print(make_world(given.archive, given.folder, given.train_per_class, given.val_per_class, given.seed))
    except UserError as error:
        parser.exit(2, f"Error: {error}\n")


def make_world(archive: Path, folder: Path, train_per_class: int, val_per_class: int, seed: int = 0) -> str:
    """Write the raw files in the place of what an earlier call wrote.

    Args:
        archive: CIFAR-10 as the docstring of this file has it.
        folder: made here; whole or not at all.
        train_per_class: images of each class in ``target/train``.
        val_per_class: the same in ``target/val``.
        seed: decides which images those are, and every caption and edit.

    Returns:
        The README's text.

    Raises:
        UserError: if the archive is another one, a class is too small, or the folder holds other things.
    """
    if folder.exists() and any(folder.iterdir()) and not _is_ours(folder):
        raise UserError(f"{folder} holds something else than this script's files; name another folder or empty it")
    images = _read(archive)
    split = _split(images, train_per_class, val_per_class, seed)
    with replacing(folder) as partial:
        for path, destination in split.items():
            if destination != "pool":
                file = partial / "target" / destination / path.split("/", 1)[1]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(images[path])
        in_pool = {path: images[path] for path, destination in split.items() if destination == "pool"}
        (partial / "pool").mkdir(parents=True)
        described = _write_pool(in_pool, partial / "pool", seed)
        text = _readme(split, described, seed)
        (partial / "README.md").write_text(text)
    return text


def _is_ours(folder: Path) -> bool:
    readme = folder / "README.md"
    return readme.is_file() and readme.read_text().startswith(_TITLE)


def _read(archive: Path) -> dict[str, bytes]:
    """Image files by their path in the archive, in the order of the paths."""
    found = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                if member.isfile() and _MEMBER.fullmatch(path):
                    file = tar.extractfile(member)
                    found[path] = file.read() if file else b""
    except (OSError, tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive} cannot be read as a tar archive: {error}") from error
    classes = {path.split("/")[1] for path in found}
    if not classes or not classes <= set(VOCABULARY):
        raise UserError(
            f"{archive} holds {len(found)} files like train/cat/0001.jpg, of the classes {sorted(classes)}; "
            f"wanted are {', '.join(VOCABULARY)}"
        )
    return dict(sorted(found.items()))


def _split(images: Mapping[str, bytes], train_per_class: int, val_per_class: int, seed: int) -> dict[str, str]:
    """``train``, ``val``, ``test`` or ``pool`` for every path."""
    split = {path: "test" if path.startswith("test/") else "pool" for path in images}
    for name in VOCABULARY:
        paths = [path for path in images if path.startswith(f"train/{name}/")]
        wanted = train_per_class + val_per_class
        if 0 < len(paths) < wanted:
            raise UserError(f'the archive has {len(paths)} training images of "{name}", {wanted} are wanted')
        order = np.random.default_rng(derive_seed("cifar10", "split", name, seed)).permutation(len(paths))
        for rank, position in enumerate(order[:wanted]):
            split[paths[position]] = "train" if rank < train_per_class else "val"
    return split


def _write_pool(images: Mapping[str, bytes], folder: Path, seed: int) -> list[dict[str, Any]]:
    """Write the shards; returns what their JSON files say, in order."""
    random = np.random.default_rng(derive_seed("cifar10", "pool", seed))
    again = sorted(random.choice(len(images), round(len(images) * DUPLICATE_SHARE), replace=False).tolist())
    paths = list(images)
    samples = [(path, 0) for path in paths] + [(paths[position], 1) for position in again]
    order = [samples[position] for position in random.permutation(len(samples))]
    keys = {sample: _key(position) for position, sample in enumerate(order)}
    described = []
    for start in range(0, len(order), SHARD_SAMPLES):
        with tarfile.open(folder / f"{start // SHARD_SAMPLES:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for path, copy in order[start : start + SHARD_SAMPLES]:
                key, original = keys[path, copy], keys[path, 0] if copy else None
                data, about = _sample(images[path], path, copy, key, original, seed)
                for ending, content in _files(data, about):
                    member = tarfile.TarInfo(f"{key}.{ending}")  # nobody's, of no day: the same bytes every time
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
                described.append(about)
    return described


def _key(position: int) -> str:
    """Five digits of the shard, four of the place in it, as img2dataset numbers them."""
    return f"{position // SHARD_SAMPLES:05d}{position % SHARD_SAMPLES:04d}"


def _sample(
    original: bytes, path: str, copy: int, key: str, duplicate_of: str | None, seed: int
) -> tuple[bytes, dict[str, Any]]:
    """One picture of the pool as it is found on the web, and what its JSON file says."""
    shown = path.split("/")[1]
    # A seed of its own: neither the order nor the number of the other pictures changes this one.
    random = np.random.default_rng(derive_seed("cifar10", "pool picture", path, copy, seed))
    text, kind = caption(shown, random)
    data, edit = edited(original, random)
    with Image.open(io.BytesIO(data)) as image, Image.open(io.BytesIO(original)) as before:
        sizes = {"width": image.width, "height": image.height}
        sizes |= {"original_width": before.width, "original_height": before.height}
    about = {
        "caption": text,
        "url": f"cifar10://{path}",
        "key": key,
        "status": "success",
        "error_message": None,
        **sizes,
        "sha256": hashlib.sha256(data).hexdigest(),
        "class": shown,
        "edit": edit,
        "caption_kind": kind,
        "duplicate_of": duplicate_of,
    }
    return data, about


def _files(data: bytes, about: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield "jpg", data
    yield "txt", str(about["caption"]).encode()
    yield "json", json.dumps(about).encode()


def _readme(split: Mapping[str, str], described: list[dict[str, Any]], seed: int) -> str:
    """The counts, as Markdown."""
    sizes = collections.Counter(split.values())
    kinds = collections.Counter(str(about["caption_kind"]) for about in described)
    edits = [tuple(step.split()[0] for step in about["edit"].split(", ")) for about in described]
    plain = sum(edit == ("jpeg",) for edit in edits)
    each_edit = collections.Counter(name for edit in edits for name in edit if name != "jpeg")
    twice = sum(about["duplicate_of"] is not None for about in described)
    lines = [
        f"{_TITLE} (benchmarks/cifar10_world.py, seed {seed})",
        "",
        *(f"- `target/{part}`: {sizes[part]:,} images" for part in ("train", "val", "test")),
        f"- `pool`: {len(described):,} images, {twice:,} of them a second copy of another",
        f"  - captions: {_shares(kinds, len(described))}",
        f"  - only encoded again: {plain:,} ({plain / len(described):.1%}); with {_shares(each_edit, len(described))}",
        "",
        "| class | " + " | ".join(("train", "val", "test", "pool")) + " |",
        "|---|---|---|---|---|",
    ]
    placed = collections.Counter((part, path.split("/")[1]) for path, part in split.items() if part != "pool")
    placed.update(("pool", str(about["class"])) for about in described)
    for name in VOCABULARY:
        lines.append(f"| {name} | " + " | ".join(f"{placed[part, name]:,}" for part in _PARTS) + " |")
    return "\n".join(lines) + "\n"


def _shares(counted: Mapping[str, int], of: int) -> str:
    return ", ".join(f"{name} {number:,} ({number / of:.1%})" for name, number in sorted(counted.items()))


if __name__ == "__main__":
    main()
