"""A connection to a Ray cluster: one that is there, or one of this machine alone that lives as long as the run."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.util import Finalize
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.settings import RaySettings

_SECONDS = 10.0  # that a cluster has to answer
_SECONDS_TO_START = 120.0
_MISSING = "execution: ray needs Ray, which is not installed; `pip install 'retrieval_vs_diffusion[ray]'` will do"
# Read by Ray when it is imported, and by what it starts.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else its workers yield to everything else on the machine
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # of each death a page comes to our terminal; we tell of them ourselves
}
# Of what Ray's own processes say; a process that connects with it set prints a line that says so.
_SAYS_NOTHING = {"RAY_BACKEND_LOG_LEVEL": "fatal"}
# Ray turns 127.0.0.1 into the machine's outer address, and listens on all of them, unless it may not form clusters.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


def load_ray() -> Any:
    """Ray with Ray Data, silent but for errors.

    Raises:
        UserError: if it is not installed.
    """
    import logging

    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError(_MISSING) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return ray


@contextlib.contextmanager
def own_cluster(settings: RaySettings) -> Iterator[str]:
    """A cluster of this machine alone, which listens on loopback and asks for a token; gives its address.

    It is a process of its own: worker processes that are forked here connect to it, and none inherits Ray's threads.
    """
    os.environ.update(own_environment())  # before Ray is imported, which reads them then
    if importlib.util.find_spec("ray") is None:
        raise UserError(_MISSING)
    temporary = tempfile.gettempdir()
    # A socket's path may have 107 characters, of which Ray needs 62.
    folder = tempfile.mkdtemp(prefix="ray-", dir=temporary if len(temporary) < 30 else "/tmp")  # noqa: S108
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, json.dumps({**settings.model_dump(), "folder": folder})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **_SAYS_NOTHING},
        start_new_session=True,  # Ctrl-C is ours: what works in the cluster ends when we close it
    )
    try:
        yield _address_of(process)
    finally:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=_SECONDS_TO_START)  # closes its input, at whose end it stops
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def own_environment() -> dict[str, str]:
    """For this process and what it starts; the token is made once, as Ray reads it once."""
    return {**_LOOPBACK, "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _address_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None  # noqa: S101  (a pipe)
    line = process.stdout.readline().decode().strip()
    if not line:
        said = process.communicate()[1].decode(errors="replace").strip().splitlines()
        raise UserError(
            f"Ray does not start here ({said[-1] if said else 'no reason given'}); execution: local will do"
        )
    return line


def connect(settings: RaySettings, address: str) -> Any:
    """Connect this process; returns Ray.

    Args:
        address: host:port, or ``auto``.

    Raises:
        UserError: if no cluster is there, or one of another version of Ray or Python.
    """
    ray = load_ray()
    if ray.is_initialized():
        return ray
    if address != "auto":
        check_reachable(address)
    try:
        with _own_signals():
            ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        if "ersion mismatch" in said:
            raise UserError(
                f"ray.address: the cluster at {address} is of other versions: {said}; install those here"
            ) from error
        raise UserError(f"ray.address: no cluster of Ray can be used at {address} ({said[:300]}); {_START}") from error
    # At the end of a forked worker too, where what atexit was told is not called.
    Finalize(None, disconnect, exitpriority=10)
    return ray


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at SIGTERM, which Ray replaces: tracking and locks are ended by it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def disconnect() -> None:
    """End this process's connection, if it has one."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()


# A cluster's head speaks HTTP/2, in which both sides begin with a frame of settings. Ray itself would wait for minutes.
_SETTINGS = b"\x04"
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5
_START = "start one with `ray start --head`, or set ray.address to null for one on this machine alone"


def check_reachable(address: str) -> None:
    """Ask whether a cluster's head listens; neither imports Ray nor joins the cluster.

    Args:
        address: host:port.

    Raises:
        UserError: if nothing answers there within seconds, or something else.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f'ray.address: found "{address}"; host:port, auto or null will do')
    try:
        with socket.create_connection((host, int(port)), _SECONDS) as asked:
            asked.settimeout(_SECONDS)
            asked.sendall(_HELLO)
            if asked.recv(9)[3:4] != _SETTINGS:
                raise ConnectionError("what answers is no cluster of Ray")
    except OSError as error:
        raise UserError(f"ray.address: no cluster answers at {address} ({error}); {_START}") from error


def _start(settings: dict[str, Any]) -> None:
    """What the cluster's own process does: start it, tell its address, and stop it at the end of the input."""
    ray = load_ray()
    ray.init(
        "local",  # else RAY_ADDRESS would name another one
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=settings["folder"],
        object_store_memory=int(settings["object_store_gb"] * 1e9),
        log_to_driver=False,
        configure_logging=False,
    )
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    _start(json.loads(sys.argv[1]))
