"""Asynchronous work for code that is not asynchronous, also where an event loop runs already (notebooks)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

# Runs a coroutine on the loop's thread.
Begin: TypeAlias = Callable[[Coroutine[Any, Any, Any]], "Future[Any]"]


@contextmanager
def in_own_loop(opened: AbstractAsyncContextManager[T]) -> Iterator[tuple[T, Begin]]:
    """Keep a context open in an event loop on a thread of its own.

    At the end, Ctrl-C included, the context is closed in its loop, and what still runs there is cancelled.

    Args:
        opened: entered and left by the loop.

    Returns:
        what the context gives, and what begins work beside it.
    """
    started: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        ended = asyncio.Event()
        async with opened as value:
            started.set_result((value, asyncio.get_running_loop(), ended))
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    with ThreadPoolExecutor(1, "downloads") as thread:
        serving = thread.submit(run)
        try:
            value, loop, _ = started.result()
            yield value, lambda work: asyncio.run_coroutine_threadsafe(work, loop)
        finally:
            if started.exception() is None:
                _, loop, ended = started.result()
                loop.call_soon_threadsafe(ended.set)
                serving.result()
