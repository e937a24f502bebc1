"""Running asynchronous work from code that is not, also where an event loop runs already (notebooks)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run_in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in an event loop of its own thread.

    Ctrl-C cancels it, waits until it has cleaned up, and is raised here.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        started.set_result((asyncio.get_running_loop(), task))
        return await work

    with ThreadPoolExecutor(1, "downloads") as thread:
        result = thread.submit(asyncio.run, main())
        try:
            return result.result()
        except BaseException:
            if not result.done():
                loop, task = started.result()
                with suppress(RuntimeError):  # it ended by itself meanwhile
                    loop.call_soon_threadsafe(task.cancel)
            raise
