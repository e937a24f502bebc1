"""Which column of a user's table holds what: as the settings say, or the one that can be meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError

IMAGE_NAMES = ("image", "img", "jpg", "jpeg", "png", "webp")
LABEL_NAMES = ("label", "labels", "class", "class_name", "category", "cls")
CAPTION_NAMES = ("caption", "captions", "text", "alt_text", "description")
PATH_NAMES = ("path", "file", "file_name", "filename", "image", "image_path")
SPLIT_NAMES = ("split",)
_TOLD = 20  # columns; who makes a table of thousands knows them


@dataclass(frozen=True)
class Wanted:
    """A column that is looked for.

    Args:
        what: what it holds, e.g. ``caption``; the setting that names it is ``<what>_column``.
        named: the column that the settings name; None to look for it.
        names: what it is usually called; case does not count.
        needed: whether there must be one.
    """

    what: str
    named: str | None
    names: Sequence[str]
    needed: bool = True

    def choose(
        self,
        columns: Sequence[str],
        place: str | Path,
        fitting: Iterable[str] | None = None,
        preferred: Sequence[str] = (),
    ) -> str | None:
        """The column, or None where there is none and none is needed.

        Args:
            columns: all that there are.
            place: the file or collection, for messages.
            fitting: those whose type fits; by default all fit where the name does, and none by type alone.
            preferred: those whose type speaks for them: of several that are called so they go first, and the only one
                will do where none is called so.

        Raises:
            UserError: if the named column is not there, or one is needed and none or several could be meant.
        """
        if self.named is not None:
            if self.named in columns:
                return self.named
            raise UserError(f'{place}: there is no column "{self.named}" ({self._setting}); {_listed(columns)}')
        by_type = list(columns if fitting is None else fitting)
        by_name = [column for column in by_type if column.lower() in self.names]
        if len(by_name) > 1:
            by_name = [column for column in by_name if column in preferred] or by_name
        candidates = by_name or (by_type if fitting is not None else list(preferred))
        if len(candidates) == 1:
            return candidates[0]
        if not self.needed:
            return None
        found = f"several columns may be the {self.what}" if candidates else f"found no column for the {self.what}"
        raise UserError(f"{place}: {found}; name it as {self._setting}; {_listed(columns)}")

    @property
    def _setting(self) -> str:
        return f"{self.what}_column"


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _TOLD} more" if len(columns) > _TOLD else ""
    return f"its columns are: {', '.join(column[:100] for column in columns[:_TOLD]) or 'none'}{more}"
