"""What img2dataset writes with ``output_format=files``: folders of images with .txt and .json beside each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.sidecars import LARGEST_SIDECAR, SIDECARS, TWICE, described
from retrieval_vs_diffusion.images.image_files import ENDINGS, Sidecars, image_files
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import SMALL_FILES, fetched_ahead

_ELSEWHERE = "beside the numbered folders"


@part
class Img2datasetFiles:
    """Folders ``00000``, ``00001``, ... of ``000000000.jpg``, ``.txt`` and ``.json``.

    Images beside these folders and in folders of other names are counted and left out.

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
        inside = [each for each in self.path.iterdir() if each.name[0] != "."] if self.path.is_dir() else []
        folders = sorted(each for each in inside if each.is_dir() and each.name.isdecimal())
        if not folders:
            raise UserError(f"{self.path}: found no folder called 00000 or the like, as img2dataset writes them")
        if elsewhere := sum(map(_number_of_images, set(inside).difference(folders))):
            faults[_ELSEWHERE] += elsewhere
        for folder in folders:
            seen: set[str] = set()
            beside = Sidecars()
            files = image_files(folder, within=self.path, left_out=faults)
            for file in fetched_ahead(files, _sidecars_in(folder, beside), SMALL_FILES):
                key = f"{folder.name}/{file.with_suffix('').as_posix()}"
                if key in seen:  # as a.jpg and a.png
                    faults[TWICE] += 1
                    continue
                seen.add(key)
                if only is not None and key not in only:
                    continue
                path = folder / file
                sample = described(key, _texts(path, beside, faults), faults, str(path), self.label_key)
                if sample is not None:
                    yield replace(sample, image=path)


def _number_of_images(path: Path) -> int:
    if path.is_dir():
        return sum(1 for _ in image_files(path, left_out=Counter()))
    return path.suffix.lower() in ENDINGS


def _sidecars_in(folder: Path, beside: Sidecars) -> Callable[[Path], list[Path]]:
    return lambda file: [beside.of(folder / file, ending) for ending in SIDECARS]


def _texts(path: Path, beside: Sidecars, faults: Counter[str]) -> dict[str, bytes]:
    texts = {}
    for ending in SIDECARS:
        try:
            with beside.of(path, ending).open("rb") as file:
                texts[ending] = file.read(LARGEST_SIDECAR)
        except FileNotFoundError:
            continue
        except OSError:
            faults[f"unreadable {ending}"] += 1
    return texts
