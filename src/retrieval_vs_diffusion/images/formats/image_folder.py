"""A folder of image files and nothing else, but for captions that lie beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from retrieval_vs_diffusion.images.collections.sidecars import LARGEST_SIDECAR
from retrieval_vs_diffusion.images.image_files import Sidecars, image_files
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import SMALL_FILES, fetched_ahead


@part
class ImageFolder:
    """All images under a folder. The caption of ``a.jpg`` is ``a.txt`` or ``a.TXT``, where there is one.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """The path of each image from the folder as its key."""
        for file in image_files(self.path):
            yield Sample(key=file.as_posix())

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The images' paths and captions."""
        wanted = (entry for entry in self.entries() if only is None or entry.key in only)
        beside = Sidecars()
        # Captions are read here; the images when they are wanted.
        for entry in fetched_ahead(wanted, lambda each: (beside.of(self.path / each.key, ".txt"),), SMALL_FILES):
            file = self.path / entry.key
            yield Sample(key=entry.key, image=file, caption=_caption_in(beside.of(file, ".txt")), source=str(file))


def _caption_in(beside: Path) -> str | None:
    try:
        if not beside.is_file():
            return None
        with beside.open("rb") as text:
            return text.read(LARGEST_SIDECAR).decode("utf-8", errors="replace").strip() or None
    except OSError:
        return None
