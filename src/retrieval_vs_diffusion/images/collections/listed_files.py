"""Image files that a CSV lists, with what it says of each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import CAPTION_NAMES, LABEL_NAMES, PATH_NAMES
from retrieval_vs_diffusion.remote.address import is_remote
from retrieval_vs_diffusion.remote.remote_path import RemotePath

ENDINGS = (".csv", ".tsv")
_HEADERS_READ = 20  # lists; more are none of one collection
_LONGEST_LINE = 32_000_000  # characters
# By default a cell has 131,072 at most, and one caption that is longer would cost the whole list. For all of the
# process, as the module has it.
csv.field_size_limit(_LONGEST_LINE)


@dataclass(frozen=True)
class ListedFiles:
    """A CSV, or TSV by its ending, with a header; UTF-8.

    Args:
        path: the file.
    """

    path: Path

    @property
    def columns(self) -> list[str]:
        """The header's cells.

        Raises:
            UserError: if there is no file, or no header.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                header: list[str] = next(self._reader(file), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise self._unreadable(error) from error
        columns = [cell.strip() for cell in header]
        if not any(columns) or len(set(columns)) < len(columns):
            raise UserError(f"{self.path}: the first line must name each column once; found {columns}")
        return columns

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each line's number and cells by column; empty lines are left out.

        Raises:
            UserError: if a line has another number of cells than the header, or the file cannot be read.
        """
        columns, line = self.columns, 0
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = self._reader(file)
                next(reader)
                for cells in reader:
                    line = reader.line_num
                    if not cells:
                        continue
                    if len(cells) != len(columns):
                        raise UserError(
                            f"{self.path}: line {line} has {len(cells)} cells, the header {len(columns)}; "
                            "a cell that holds the separator stands in double quotes"
                        )
                    yield line, dict(zip(columns, cells, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise self._unreadable(error, f" after line {line}") from error

    def file_of(self, line: int, row: Mapping[str, str], column: str) -> tuple[str, Path]:
        """An image's key, the path as it is listed without needless steps, and its file.

        Paths count from the CSV's folder; an absolute one is the user's own, but not in a list from a store, which must
        not bring pictures of this machine into a pool.

        Raises:
            UserError: if the cell is empty or an address, or a path leaves the folder.
        """
        listed = row[column].strip().replace("\\", "/")  # as Windows writes paths
        steps = PurePosixPath(listed).parts
        if not steps or "\0" in listed:
            raise UserError(f"{self.path}: line {line} names no file in the column {column}")
        if is_remote(listed) or (steps[0] == "/" and isinstance(self.path, RemotePath)):
            raise UserError(
                f'{self.path}: line {line} names "{listed}"; a path from the folder of this list will do, which lies '
                "where its images do"
            )
        if ".." in steps:
            raise UserError(
                f'{self.path}: line {line} names "{listed}", which leaves its folder; an absolute path will do'
            )
        return PurePosixPath(*steps).as_posix(), self.path.parent / Path(*steps)

    def _reader(self, file: TextIO) -> Any:  # csv.reader gives an object whose type has no public name
        return csv.reader(_lines(file), delimiter="\t" if self.path.suffix.lower() == ".tsv" else ",", strict=True)

    def _unreadable(self, error: Exception, place: str = "") -> UserError:
        return UserError(f"{self.path}: cannot be read{place} ({error}); a CSV in UTF-8 with a header will do")


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a file, of which none is as long as the memory is large."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"a line of more than {_LONGEST_LINE:,} characters")
        yield line


def holds_predictions(path: Path) -> bool:
    """Whether a list is what ``kedro classify`` writes: classes with probabilities, which must not become labels."""
    try:
        columns = {column.lower() for column in ListedFiles(path).columns}
    except UserError:
        return False
    return "probability" in columns and _is_list_of(columns, LABEL_NAMES) and not columns & set(CAPTION_NAMES)


def lists_labels(path: Path) -> bool:
    """Whether a list names images and their labels, and does not hold predictions."""
    try:
        columns = {column.lower() for column in ListedFiles(path).columns}
    except UserError:  # whoever reads it says why
        return False
    return _is_list_of(columns, LABEL_NAMES) and not holds_predictions(path)


def _is_list_of(columns: Set[str], names: Sequence[str]) -> bool:
    return bool(columns & set(PATH_NAMES)) and bool(columns & set(names))


def only_list_in(path: Path) -> Path:
    """The CSV or TSV itself, or the only one of a folder that does not hold predictions.

    Raises:
        UserError: if there is none, or there are several.
    """
    if path.is_file():
        return path
    inside = path.iterdir() if path.is_dir() else ()
    found = sorted(file for file in inside if file.suffix.lower() in ENDINGS and file.name[0] != ".")
    lists = [file for file in found if not holds_predictions(file)] if len(found) <= _HEADERS_READ else found
    if len(lists) == 1:
        return lists[0]
    listed = f"found {', '.join(file.name for file in lists[:5])}" if lists else "found none"
    if not lists and found:
        listed += f" but predictions of a classifier ({found[0].name})"
    raise UserError(f"{path}: one CSV or TSV is needed here, {listed}; give the path of the file itself")
