"""Every server that the project starts, or tells its users to start, listens on loopback alone."""

from __future__ import annotations

import ast
import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.project_copy import ROOT

TELLS = re.compile(
    r"mlflow (?:ui|server|gateway start|models serve)\b[^`'\"\n<]*|kedro viz(?: run\b[^`'\"\n<]*)?(?! build)"
)
# Those of which a test below sees where they listen; of the server, test_separate_jobs.py.
SERVER = (
    "mlflow server --host 127.0.0.1 --port 5000 --workers 1 "
    "--backend-store-uri sqlite:////srv/mlflow/mlflow.db --artifacts-destination /srv/mlflow/artifacts"
)
STARTED = {"mlflow ui", "kedro viz run", SERVER}
LOOPBACK = {"127.0.0.1", "::1"}


def documents() -> Iterator[tuple[str, str]]:
    """Whatever of the repository a user reads or runs, as text."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.startswith(("data/", "tests/")) or Path(name).suffix in {".png", ".safetensors", ".parquet"}:
            continue
        yield name, (ROOT / name).read_text(encoding="utf-8")


def test_documents_tell_to_start_no_server_that_was_not_looked_at():
    told = {(name, found.strip()) for name, text in documents() for found in TELLS.findall(text)}
    assert {command for _, command in told} == STARTED
    assert {"README.md", "src/retrieval_vs_diffusion/terminal.py"} <= {name for name, _ in told}


def test_no_source_names_an_address_that_all_can_reach():
    """The list of refused addresses of the downloads is the one place that may."""
    wide = re.compile(r"0\.0\.0\.0|--host[= ](?!127\.0\.0\.1|localhost)|\bhost=[\"'](?!127\.0\.0\.1|localhost)")
    found = {name for name, text in documents() if wide.search(text)}
    assert found <= {"src/retrieval_vs_diffusion/images/downloads/addresses.py"}


def test_servers_in_python_bind_to_loopback():
    """Of the package, the benchmarks and the tests: what binds a socket names 127.0.0.1."""
    bound = []
    for file in [each for folder in ("src", "benchmarks", "tests") for each in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).split(".")[-1]
            binds = name == "bind" and not ast.unparse(node.func).startswith(
                "inspect.signature("
            )  # arguments, no socket
            if binds or name == "create_server" or name.endswith("Server"):
                bound.append((file.relative_to(ROOT).as_posix(), ast.unparse(node.args[0])))
    own = Path(__file__).relative_to(ROOT).as_posix()
    assert {place for file, place in bound if file != own} == {"('127.0.0.1', 0)"}
    assert not [file for file, _ in bound if not file.startswith("tests/")]  # the package itself starts none


def listening(process: int) -> set[str]:
    """Addresses on which a process or one of its children listens, as the kernel tells."""
    inodes = set()
    for each in {process, *_children(process)}:
        for handle in Path(f"/proc/{each}/fd").glob("*"):
            try:
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(handle))
            except OSError:
                continue
            inodes |= {found[1]} if found else set()
    addresses = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in inodes:  # LISTEN
                words = bytes.fromhex(local.partition(":")[0])
                packed = b"".join(
                    struct.pack(">I", *struct.unpack("<I", words[at : at + 4])) for at in range(0, len(words), 4)
                )
                addresses.add(socket.inet_ntop(family, packed))
    return addresses


def _children(process: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grown = {process}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - {process}


@contextlib.contextmanager
def started(command: list[str], folder: Path, log: Path) -> Iterator[subprocess.Popen]:
    """A server in a process group of its own, which ends with the context."""
    told_otherwise = {"MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_TRACKING_URI"}
    environment = {key: value for key, value in os.environ.items() if key not in told_otherwise}
    environment |= {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(server.pid, signal.SIGTERM)
            time.sleep(1)
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=20)


def _where_it_listens(command: list[str], folder: Path, log: Path) -> set[str]:
    # Below the range from which the system takes ports: there a connection could meet itself.
    port = random.randrange(20_000, 30_000)
    with started([*command, "--port", str(port)], folder, log) as server:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
            except OSError:
                time.sleep(0.5)
                continue
            return listening(server.pid)
    pytest.fail(f"{' '.join(command)} did not come up: {log.read_text()[-2000:]}")


@pytest.mark.slow
def test_mlflow_ui_listens_on_loopback_alone(tmp_path):
    command = [str(Path(sys.executable).with_name("mlflow")), "ui"]
    found = _where_it_listens(command, tmp_path, tmp_path / "mlflow.log")
    assert found
    assert found <= LOOPBACK


@pytest.mark.slow
def test_kedro_viz_listens_on_loopback_alone(empty_project, tmp_path):
    command = [str(Path(sys.executable).with_name("kedro")), "viz", "run", "--no-browser", "--env=test"]
    found = _where_it_listens(command, empty_project, tmp_path / "viz.log")
    assert found
    assert found <= LOOPBACK


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0")])
def test_a_server_for_all_would_be_seen(host, seen):
    with socket.socket() as server:
        server.bind((host, 0))
        server.listen()
        assert seen in listening(os.getpid())
