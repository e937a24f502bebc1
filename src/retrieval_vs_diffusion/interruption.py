"""What must still be done when this process is told to end."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Calls something before SIGTERM or a closed terminal ends the process, and when it ends by itself (Ctrl-C).

    Args:
        before_the_end: takes what ended the process, in words.
    """

    def __init__(self, before_the_end: Callable[[str], None]) -> None:
        self._before_the_end = before_the_end
        self._process = 0
        self._watched: list[signal.Signals] = []
        self._busy = False
        self._came: int | None = None

    def watch(self) -> None:
        """From now on. Signals that something else handles, or that are ignored (nohup), are left to that."""
        self._process = os.getpid()
        atexit.register(self._at_exit)
        for number in _SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:
                with contextlib.suppress(ValueError):  # only the main thread may
                    signal.signal(number, self._on_signal)
                    self._watched.append(number)

    def forget(self) -> None:
        """No longer: signals do again what they do by themselves."""
        atexit.unregister(self._at_exit)
        while self._watched:
            signal.signal(self._watched.pop(), signal.SIG_DFL)

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Work in whose middle a signal would do harm; it is obeyed afterwards.

        Ctrl-C is one: in the middle of a statement it leaves SQLite's database locked for this process too.
        """
        if self._busy:
            yield
            return
        self._busy, pressed = True, False

        def note(number: int, frame: Any) -> None:
            nonlocal pressed
            pressed = True

        ctrl_c = signal.getsignal(signal.SIGINT)
        noted = ctrl_c is signal.default_int_handler and threading.current_thread() is threading.main_thread()
        if noted:
            signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            self._busy = False
            if noted:
                signal.signal(signal.SIGINT, ctrl_c)
            if self._came is not None:
                self._obey(self._came)
            if pressed:
                raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: Any) -> None:
        del frame
        if self._busy:
            self._came = number
        else:
            self._obey(number)

    def _obey(self, number: int) -> None:
        try:
            if os.getpid() == self._process:  # forked workers inherit handlers, and have nothing to do here
                self._busy = True  # a second signal waits until the first is dealt with
                self._before_the_end(f"ended by {signal.Signals(number).name}")
                with contextlib.suppress(OSError):  # of a closed terminal
                    os.write(
                        2, f"Ended by {signal.Signals(number).name}; the same command goes on from here.\n".encode()
                    )
        finally:
            self.forget()
            os.kill(os.getpid(), number)

    def _at_exit(self) -> None:
        if os.getpid() == self._process:
            self._before_the_end("interrupted before it was done")
