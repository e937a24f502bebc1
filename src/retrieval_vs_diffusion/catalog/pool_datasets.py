"""What belongs to a pool beside its images: what must not be used of it, and what was downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.remote_path import as_path

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.downloads.store import DownloadStore


class TakedownDataset(AbstractDataset[None, frozenset[str]]):
    """A text file with an id or URL a line that no run may use; empty lines and those that begin with # are none.

    Args:
        filepath: the file; None for no list.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str | None, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = as_path(filepath) if filepath else None
        self.metadata = metadata

    def load(self) -> frozenset[str]:
        """Read the list.

        Raises:
            UserError: if the file is there and is no text.
        """
        if self._filepath is None:
            return frozenset()
        try:
            text = self._filepath.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"takedown: cannot read {self._filepath} ({error}); a text file in UTF-8 will do"
            ) from error
        if "\0" in text:  # UTF-16 without its mark, of which no entry would be found
            raise UserError(f"takedown: {self._filepath} holds zero bytes; a text file in UTF-8 will do")
        lines = [line.strip() for line in text.splitlines()]
        return frozenset(line for line in lines if line and not line.startswith("#"))

    def save(self, data: None) -> None:
        """The list is the user's."""
        raise NotImplementedError("a takedown list is written by its user")

    def _exists(self) -> bool:
        return self._filepath is None or self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath) if self._filepath else None}


class DownloadStoreDataset(AbstractDataset[None, "DownloadStore"]):
    """The folder in which downloaded images of a pool of links are kept.

    What it holds grows while strategies run, and is no part of what their images are made of.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> DownloadStore:
        """Open the store; nothing is read."""
        from retrieval_vs_diffusion.images.downloads.store import DownloadStore

        return DownloadStore(self._folder)

    def save(self, data: None) -> None:
        """The store writes what it downloads."""
        raise NotImplementedError("a download store writes by itself")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {}
