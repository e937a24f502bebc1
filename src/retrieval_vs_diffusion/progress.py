"""Progress of long work: a bar on a terminal, a log line every few seconds in a pipe."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS_BETWEEN_LINES = 5.0
_last_sign = 0.0  # when something was last shown, by time.monotonic()


_lines_only = False


def use_lines() -> None:
    """Write log lines even on a terminal: worker processes cannot share its bars."""
    global _lines_only
    _lines_only = True


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the items of ``items`` while showing how far the work is.

    Args:
        items: what is worked through.
        description: what is being done, e.g. ``"training CLIP"``.
        total: number of items, where ``len(items)`` cannot tell.
    """
    if total is None:
        total = len(items) if hasattr(items, "__len__") else None  # type: ignore[arg-type]
    if get_console().is_terminal and not _lines_only:
        yield from _with_bar(items, description, total)
    else:
        yield from _with_lines(items, description, total)


def _with_bar(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=get_console(), transient=True) as bar:
        for item in bar.track(items, total=total, description=description):
            _sign()
            yield item


def _with_lines(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    started = last_line = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last_line > SECONDS_BETWEEN_LINES:
            of_total = f" of {total}" if total else ""
            logger.info("%s: %d%s after %.0f s", description, done, of_total, now - started)
            last_line = now
            _sign()
        yield item


@contextmanager
def heartbeat(description: str) -> Iterator[None]:
    """Say every few seconds that work goes on, where nothing else was shown meanwhile."""
    started = time.monotonic()
    _sign()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(1.0):
            if time.monotonic() - _last_sign > SECONDS_BETWEEN_LINES:
                logger.info("%s: %.0f s so far", description, time.monotonic() - started)
                _sign()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _sign() -> None:
    global _last_sign
    _last_sign = time.monotonic()
