"""The image files in a user's folder: found, and read with care, for nobody knows where they come from."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images.codec import BrokenImageError, rgb
from retrieval_vs_diffusion.remote.remote_path import RemotePath

logger = logging.getLogger(__name__)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LARGEST_PIXELS = 100_000_000  # 300 MB when decoded; a file of some kilobytes may claim far more
LINKS_OUT = "links to files outside of this folder; copy them, or list them in a CSV"
LINKED_FOLDERS = "links to folders, which are not followed"
DEAD_LINKS = "links that lead to no file"
# What lies beside images and is none: captions, tables, texts. Of no such file is it told that it is left out.
_BESIDE = {".txt", ".json", ".cls", ".csv", ".tsv", ".jsonl", ".parquet", ".arrow", ".md", ".xml", ".yaml", ".yml"}
_LONGEST_ENDING = 10  # characters; what is longer is part of a name
_TOLD = 6  # kinds of what is left out


def image_files(folder: Path, within: Path | None = None, left_out: Counter[str] | None = None) -> Iterator[Path]:
    """All files under a folder whose names end as images do, sorted, by their paths from the folder.

    Links are followed to files inside the folder alone, never to folders: a collection that was unpacked from somewhere
    must bring no picture of this machine into what is exported or published. What is hidden (its name begins with
    a dot) is left out, and so is what is no regular file: a pipe would be waited for. Folders within it that cannot
    be listed are told and left out.

    Args:
        folder: is searched.
        within: a collection's folder, inside which links may lead too.
        left_out: counts by kind what is no image by its ending, and links that are not followed, before the first file
            is given. By default they are told, in one warning.

    Raises:
        UserError: if the folder itself cannot be listed.
    """
    counts = Counter[str]() if left_out is None else left_out
    if isinstance(folder, RemotePath):
        found = _remote_files(folder, counts)
    else:
        roots = [folder.resolve(), *([within.resolve()] if within else [])]
        found = sorted(_local_files(folder, roots, counts), key=_name_of)
    if left_out is None:
        tell_left_out(folder, counts)
    yield from found


def tell_left_out(folder: Path, left_out: Counter[str]) -> None:
    """Say in one warning what ``image_files`` left out, where anything was; once, however often a folder is listed.

    Args:
        folder: which was searched.
        left_out: as ``image_files`` counts.
    """
    if left_out:
        _warn_once(f"{one_line(str(folder), 500)}: left out: {told(left_out)}")


def told(left_out: Counter[str]) -> str:
    """What was left out, the most first, and links last, of which it is said what to do.

    >>> told(Counter({LINKED_FOLDERS: 1, ".heic": 8}))
    '8 .heic, 1 links to folders, which are not followed'
    """
    kinds = sorted(left_out.items(), key=lambda each: (each[0] == LINKS_OUT, each[0][0] != ".", -each[1], each[0]))
    shown = kinds if len(kinds) <= _TOLD else [*kinds[: _TOLD - 3], *kinds[-3:]]
    more = f" and {len(kinds) - len(shown)} kinds more" if len(shown) < len(kinds) else ""
    return one_line(", ".join(f"{count} {kind}" for kind, count in shown)) + more


@cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)


def _name_of(path: Path) -> str:
    return path.as_posix()


def _local_files(folder: Path, roots: Sequence[Path], left_out: Counter[str]) -> Iterator[Path]:
    root = roots[0]
    waiting = [str(root)]
    while waiting:
        place = waiting.pop()
        try:
            listing = os.scandir(place)
        except OSError as error:  # it is no folder, may not be read, or lies too deep
            if place == str(root):
                raise UserError(f"{folder}: cannot be listed ({error.strerror}); a folder will do") from error
            logger.warning("%s: left out, for it cannot be listed: %s", one_line(place, 200), error.strerror)
            continue
        with listing as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif refused := _refused(entry, roots):
                    left_out[refused] += 1
                elif refused is None:
                    yield Path(entry.path).relative_to(root)


def _remote_files(folder: RemotePath, left_out: Counter[str]) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: cannot be listed (nothing lies there); a folder will do")
    found = []
    for name in sorted(folder.files_under()):
        if any(step.startswith(".") for step in name.split("/")):
            continue
        if name.lower().endswith(ENDINGS):
            found.append(Path(name))
        elif kind := _kind_of(name):
            left_out[kind] += 1
    return found


def _refused(entry: os.DirEntry, roots: Sequence[Path]) -> str | None:
    """Why a file is no image of a folder; None for one that is, and nothing for what nobody takes for one."""
    is_image = os.path.splitext(entry.name)[1].lower() in ENDINGS
    if not entry.is_symlink():  # which the listing itself tells: of a million files none is asked for
        return (None if entry.is_file() else "") if is_image else _kind_of(entry.name)
    try:
        target = Path(entry.path).resolve()
        inside = any(target.is_relative_to(root) for root in roots)
        if entry.is_dir():
            return "" if target.is_relative_to(roots[0]) else LINKED_FOLDERS
        if not is_image:
            return _kind_of(entry.name)
        return DEAD_LINKS if not entry.is_file() else None if inside else LINKS_OUT
    except (OSError, RuntimeError):  # links that point at each other in a circle
        return DEAD_LINKS


def _kind_of(name: str) -> str:
    """The ending of what is no image; nothing for what lies beside images."""
    ending = os.path.splitext(name)[1].lower()
    if ending in _BESIDE:
        return ""
    return one_line(ending) if 1 < len(ending) <= _LONGEST_ENDING else "files without an ending"


class Sidecars:
    """Finds what has an image's name and another ending, however that is written: ``a.TXT`` beside ``a.JPG``.

    Each folder is looked through once, when the first of its images is asked about.
    """

    def __init__(self) -> None:
        self._otherwise: dict[Path, dict[str, Path]] = {}  # by folder; few or none, so that they are soon held

    def of(self, image: Path, ending: str) -> Path:
        """The file beside an image; where there is none, the one that would be it.

        Args:
            image: its path.
            ending: in small letters.
        """
        folder = image.parent
        if folder not in self._otherwise:
            self._otherwise[folder] = dict(_written_otherwise(folder))
        return self._otherwise[folder].get(f"{image.stem}{ending}", image.with_suffix(ending))


def _written_otherwise(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files whose endings are not in small letters, by names that are; what is written in small letters counts."""
    try:
        names = {path.name for path in folder.iterdir() if path.suffix != path.suffix.lower()}
    except OSError:
        return
    for name in sorted(names):
        stem, ending = os.path.splitext(name)
        if not (folder / f"{stem}{ending.lower()}").is_file():
            yield f"{stem}{ending.lower()}", folder / name


@contextmanager
def opened(source: Path | bytes, largest_pixels: int = LARGEST_PIXELS) -> Iterator[Image.Image]:
    """An image that is not decoded yet; whatever goes wrong while the block decodes it is a broken image.

    Args:
        source: a file, or the encoded bytes.
        largest_pixels: an image of more pixels is refused before it is decoded.

    Raises:
        BrokenImageError: if it is not a whole image of one of ``FORMATS``, or has too many pixels. The message
            up to its first colon is the kind of fault.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on size and broken metadata; our limit decides
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                if image.width * image.height > largest_pixels:
                    raise BrokenImageError(
                        f"too large: {image.width} x {image.height} pixels are more than the {largest_pixels:,} "
                        "that are read"
                    )
                yield image
    except (BrokenImageError, UserError):
        raise
    except UnidentifiedImageError as error:
        raise BrokenImageError(f"not a whole image of the formats {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:  # from twice Pillow's own limit on, before ours is looked at
        raise BrokenImageError(f"too large: {error}") from error
    except Exception as error:  # decoders raise anything on bytes that were made to break them
        raise BrokenImageError(f"not a whole image: {error or type(error).__name__}") from error


def read_image(source: Path | bytes, largest_pixels: int = LARGEST_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a file, or its bytes, to RGB, upright; of an animation the first picture.

    Colours are converted as ``codec.decode`` does for the images that classifiers are trained on.

    Raises:
        BrokenImageError: as ``opened`` says.
    """
    with opened(source, largest_pixels) as image:
        return rgb(ImageOps.exif_transpose(image))
