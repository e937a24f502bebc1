"""What img2dataset writes with ``output_format=files``: folders of images with .txt and .json beside each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.sidecars import LARGEST_SIDECAR, SIDECARS, TWICE, described
from retrieval_vs_diffusion.images.image_files import image_files
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import SMALL_FILES, fetched_ahead


@part
class Img2datasetFiles:
    """Folders ``00000``, ``00001``, ... of ``000000000.jpg``, ``.txt`` and ``.json``.

    Args:
        path: the folder above.
        label_key: the key in ``.json`` that holds the label; without it ``.cls`` does.
    """

    path: Path
    label_key: str | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """Key (folder and name), label and caption of each image.

        Raises:
            UserError: if there is no numbered folder.
        """
        for sample in self.samples():
            yield replace(sample, image=None)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The images' paths, with what is said of each."""
        faults = faults if faults is not None else Counter()
        inside = self.path.iterdir() if self.path.is_dir() else ()
        folders = sorted(each for each in inside if each.is_dir() and each.name.isdecimal())
        if not folders:
            raise UserError(f"{self.path}: found no folder called 00000 or the like, as img2dataset writes them")
        for folder in folders:
            seen: set[str] = set()
            for file in fetched_ahead(image_files(folder), partial(_sidecars, folder), SMALL_FILES):
                key = f"{folder.name}/{file.with_suffix('').as_posix()}"
                if key in seen:  # as a.jpg and a.png
                    faults[TWICE] += 1
                    continue
                seen.add(key)
                if only is not None and key not in only:
                    continue
                path = folder / file
                sample = described(key, _beside(path, faults), faults, str(path), self.label_key)
                if sample is not None:
                    yield replace(sample, image=path)


def _sidecars(folder: Path, file: Path) -> list[Path]:
    return [(folder / file).with_suffix(ending) for ending in SIDECARS]


def _beside(path: Path, faults: Counter[str]) -> dict[str, bytes]:
    texts = {}
    for ending in SIDECARS:
        try:
            with path.with_suffix(ending).open("rb") as file:
                texts[ending] = file.read(LARGEST_SIDECAR)
        except FileNotFoundError:
            continue
        except OSError:
            faults[f"unreadable {ending}"] += 1
    return texts
