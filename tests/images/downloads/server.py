"""A web server on this machine that answers as well or as badly as the web does."""

from __future__ import annotations

import gzip
import io
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.settings import Downloads

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(image_format: str, pixels: np.ndarray = PIXELS, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=image_format, **options)
    return buffer.getvalue()


PNG = encoded("PNG")


def quick(**changes) -> Downloads:
    """Settings for tests: this machine may be asked, and nothing is waited for."""
    fast = {"private_addresses": True, "seconds_between": 0.0, "timeout": 5.0, "backoff": 0.01}
    return Downloads(**(fast | changes))


class Web:
    """What the server was asked, and what it is to answer under which path.

    A page is the bytes of a body, or a function that takes the request and answers it.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages = {}
        self.asked = Counter()
        self.headers = []
        self.most_at_once = 0
        self.most_at_once_of = Counter()  # by host
        self.most_of_a_connection = 0  # requests
        self.starts = []
        self._at_once = 0
        self._at_once_of = Counter()
        self._lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def add(self, path: str, page) -> str:
        self.pages[path] = page
        return self.url(path)

    @contextmanager
    def counted_at(self, host: str):
        """Count what is done at once for a host; to be ended before the answer, after which the next may come."""
        with self._lock:
            self._at_once_of[host] += 1
            self.most_at_once_of[host] = max(self.most_at_once_of[host], self._at_once_of[host])
        yield
        with self._lock:
            self._at_once_of[host] -= 1

    @contextmanager
    def counted(self, request: BaseHTTPRequestHandler):
        request.requests = getattr(request, "requests", 0) + 1
        with self._lock:
            self.most_of_a_connection = max(self.most_of_a_connection, request.requests)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.asked[request.path.lstrip("/")] += 1
            self.headers.append(dict(request.headers))
            self.starts.append(time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def serve(ssl_context=None):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with web.counted(self):
                page = web.pages.get(self.path.lstrip("/"))
                try:
                    if callable(page):
                        page(self)
                    elif page is None:
                        answer(self, 404, b"not here")
                    else:
                        answer(self, 200, page)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if ssl_context is not None:
        server.socket = ssl_context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    web = Web(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


def answer(request, status: int, body: bytes = b"", headers=()) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def status(number: int, headers=(), body: bytes = b""):
    return lambda request: answer(request, number, body, headers)


def in_turn(*pages):
    """A page that is another one each time it is asked; the last one ever after."""
    remaining = list(pages)

    def page(request):
        now = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if callable(now):
            now(request)
        else:
            answer(request, 200, now)

    return page


def redirect(location: str, number: int = 302):
    return status(number, [("Location", location)])


def slow(seconds: float, body: bytes = PNG):
    def page(request):
        time.sleep(seconds)
        answer(request, 200, body)

    return page


def trickling(seconds_between: float):
    """A byte now and then, of a body that never ends."""

    def page(request):
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        while True:
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(seconds_between)

    return page


def endless(request):
    """A body without end, as fast as it can."""
    request.close_connection = True
    request.send_response(200)
    request.send_header("Connection", "close")
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65536)


def cut_off(request):
    """The connection closed in the middle of a body."""
    request.close_connection = True
    request.send_response(200)
    request.send_header("Content-Length", str(len(PNG)))
    request.end_headers()
    request.wfile.write(PNG[: len(PNG) // 2])


def packed(body: bytes, encoding: str = "gzip", times: int = 1):
    for _ in range(times):
        body = gzip.compress(body)
    return status(200, [("Content-Encoding", encoding)], body)


def fetch_one(url: str, **changes):
    return Fetcher(quick(**changes)).fetch([url])[url]


def resolve_to(*answers):
    """A resolver that gives the first answer first, the second then, and the last ever after."""
    remaining = list(answers)

    async def resolve(host, port):
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return resolve
