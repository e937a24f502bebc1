"""Work that ends on a thread while the next is begun."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ended_behind(begun: Iterable[Callable[[], T]], ahead: int = 1) -> Generator[T, None, None]:
    """What each piece of work gives, in their order.

    Taking the next piece of ``begun`` begins it, in the caller's thread; calling it ends it, on one other thread, one
    after the other. So a model samples a batch while the images of the one before are encoded.

    Args:
        begun: pieces of work; each is taken when no more than ``ahead`` others wait for their end to be asked for.
        ahead: pieces that are begun before the end of the oldest is waited for; bounds the memory.

    Raises:
        Exception: as a piece of work raises it, where its result would have come. When the caller stops early, or
            ``begun`` fails, what was begun is ended all the same before that is told.

    Example:
        >>> list(ended_behind([lambda: "a", lambda: "b"]))
        ['a', 'b']
    """
    with ThreadPoolExecutor(1, "behind") as thread:  # its end waits for what was begun
        waiting: deque[Future[T]] = deque()
        for piece in begun:
            waiting.append(thread.submit(piece))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
