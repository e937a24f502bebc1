"""Fetching files ahead of their turn, while those before them are read."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from retrieval_vs_diffusion.remote.remote_path import RemotePath

T = TypeVar("T")
SMALL_FILES = 16  # at a time: of an image or a caption the way there and back takes longest


def fetched_ahead(
    items: Iterable[T], files_of: Callable[[T], Iterable[Any]] = lambda item: (item,), at_once: int = 1
) -> Iterator[T]:
    """The items in order; of those that name remote files the next ones' files are fetched meanwhile.

    What goes wrong with a file is raised when its item's turn comes. Items without remote files come as they are, none
    of them ahead.

    Args:
        items: e.g. the shards of a pool; each may be asked for ``at_once`` items early.
        files_of: an item's files.
        at_once: items whose files are fetched while one is read: large files one, small ones ``SMALL_FILES``.
    """
    waiting: deque[tuple[T, list[Future[Path]]]] = deque()
    with contextlib.ExitStack() as stack:
        threads: ThreadPoolExecutor | None = None
        for item in items:
            files = [file for file in files_of(item) if isinstance(file, RemotePath)]
            if not files and not waiting:
                yield item
                continue
            if threads is None:
                threads = ThreadPoolExecutor(at_once)
                stack.callback(threads.shutdown, wait=True, cancel_futures=True)
            waiting.append((item, [threads.submit(file.local) for file in files if file.is_file()]))
            if len(waiting) > at_once:
                yield _fetched(*waiting.popleft())
        while waiting:
            yield _fetched(*waiting.popleft())


def _fetched(item: T, fetching: list[Future[Path]]) -> T:
    for future in fetching:
        future.result()
    return item
