"""Which steps this run makes where several runs work on one folder at once."""

from __future__ import annotations

import enum
import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from kedro.pipeline.node import Node

from retrieval_vs_diffusion.atomic import clear_partial
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.artifact_lock import ArtifactLock
from retrieval_vs_diffusion.execution.freshness import Freshness, path_of

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_TRIES = 0.5
_SECONDS_BETWEEN_LINES = 30.0


class Claim(enum.Enum):
    """What a run may do about a step."""

    MINE = "make it"
    MADE = "another run has made it"
    TAKEN = "another run makes it now"


class Claims:
    """Claims steps by the locks of what they make.

    Args:
        freshness: tells what holds.
    """

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._locks: dict[str, ArtifactLock] = {}
        self._told: dict[str, float] = {}

    def ask(self, node: Node) -> Claim:
        """Claim a step.

        Raises:
            UserError: if what the step needs was made anew by another run, of something else.
        """
        place = self._place(node)
        if place is not None:
            lock = ArtifactLock(place)
            if not lock.take(node.name):
                self._tell(node, lock)
                return Claim.TAKEN
            self._locks[node.name] = lock
        if place is not None and self._freshness.holds_by_now(node):
            logger.info("%s was made by another run meanwhile", node.name)
            self.release(node)
            return Claim.MADE
        try:
            self._check_inputs(node)
        except UserError:
            self.release(node)
            raise
        for output in node.outputs:
            if (path := path_of(self._freshness.catalog.get(output))) is not None:
                clear_partial(path)
        return Claim.MINE

    def clear(self, holding: Iterable[Node]) -> None:
        """Remove what a run that was killed at the very end left beside artifacts that hold."""
        for node in holding:
            place = self._place(node)
            if place is None:
                continue
            lock = ArtifactLock(place)
            if (lock.is_there or _beside(place).exists()) and lock.take(node.name):
                shutil.rmtree(_beside(place), ignore_errors=True)
                lock.release()

    def wait(self, node: Node) -> Claim:
        """Claim a step as soon as no other run makes it."""
        while (claim := self.ask(node)) is Claim.TAKEN:
            time.sleep(SECONDS_BETWEEN_TRIES)
        return claim

    def unfinished_folder(self, node: Node) -> Path | None:
        """Where the units of a step are kept while it is not done; None for one that makes no file."""
        place = self._place(node)
        return _beside(place) / self._freshness.fingerprint_of_units(node)[:16] if place else None

    def done(self, node: Node) -> None:
        """A step's artifacts hold: its units are no longer needed."""
        if place := self._place(node):
            shutil.rmtree(_beside(place), ignore_errors=True)

    def release(self, node: Node) -> None:
        """Let others have a step."""
        if node.name in self._locks:
            self._locks.pop(node.name).release()

    def close(self) -> None:
        """Give everything back."""
        while self._locks:
            self._locks.popitem()[1].release()

    def _place(self, node: Node) -> Path | None:
        paths = (path_of(self._freshness.catalog.get(output)) for output in node.outputs)
        return next((path for path in paths if path is not None), None)

    def _check_inputs(self, node: Node) -> None:
        for name in self._freshness.inputs_made_otherwise(node):
            raise UserError(
                f"{name} was made anew by another run with other parameters while this one ran; "
                "run the same command again when that one is done"
            )

    def _tell(self, node: Node, lock: ArtifactLock) -> None:
        now = time.monotonic()
        if now - self._told.get(node.name, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
            self._told[node.name] = now
            logger.info("%s waits for another run that makes it: %s", node.name, lock.holder())


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.unfinished")
