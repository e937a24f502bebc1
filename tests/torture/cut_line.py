"""A line to a server that can be cut in the middle, as a network is."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class CutLine:
    """Passes on to a server what it is sent, until it is cut.

    Args:
        address: of the server, on loopback.
    """

    def __init__(self, address: str) -> None:
        self._there = ("127.0.0.1", urlsplit(address).port)
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes, and nobody listens."""
        # A thread that waits in accept keeps the port open: it is woken.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for end in (self._listening, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(self._there)
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
