"""Where a server is, what keeps it from being used, and that nothing tells a password."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from retrieval_vs_diffusion import tracking_server
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.study import read_study
from retrieval_vs_diffusion.tracking_server import RemoteTracking, server_of
from tests.test_study import parameters

OWN = Path("/project/mlflow.db")
SECRET = "gehe:im"
_SET = [name for name in os.environ if name.startswith("MLFLOW_")]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    for name in [*_SET, *tracking_server._PATIENCE, *tracking_server._QUIET, tracking_server.USERNAME]:
        monkeypatch.setenv(name, "x")  # so that what a test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.mlflow/credentials
    logging.getLogger("urllib3.connectionpool").setLevel(logging.NOTSET)


def answering(answers: dict[str, tuple[int, str]]):
    """A server on loopback that answers by the beginning of the path."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            status, text = next((answer for path, answer in answers.items() if self.path.startswith(path)), (404, ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *_):
            pass

    asked: list = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}", asked


@pytest.fixture
def serve():
    servers = []

    def start(**answers):
        paths = {"version": "/version", "api": "/api/"}
        server, address, asked = answering({paths[name]: answer for name, answer in answers.items()})
        servers.append(server)
        return address, asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def closed_port():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_the_parameter_wins_over_the_environment_and_nothing_is_the_projects_own_database():
    there = {"MLFLOW_TRACKING_URI": "http://there:5000/"}
    assert server_of(None, {}, OWN) is None
    assert server_of(None, {"MLFLOW_TRACKING_URI": f"sqlite:///{OWN}"}, OWN) is None
    assert server_of(None, there, OWN) == RemoteTracking("http://there:5000")
    assert server_of("https://here/mlflow/", there, OWN) == RemoteTracking("https://here/mlflow")


def test_who_asks_is_taken_out_of_the_address_and_shown_nowhere():
    server = server_of("http://some%40one:gehe%3Aim@here:5000", {}, OWN)
    assert (server.address, server.username, server.password) == ("http://here:5000", "some@one", SECRET)
    assert "im" not in repr(server)
    server.use()
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("some@one", SECRET)
    told = server.in_words(MlflowException(f"something about {SECRET} that nobody foresaw"))
    assert told == "it said: something about ... that nobody foresaw"
    server_of("http://there:5000", {}, OWN).use()  # another server, which must not be sent the first one's
    assert "MLFLOW_TRACKING_USERNAME" not in os.environ
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ


@pytest.mark.parametrize(
    "text",
    [
        "u:geheim@localhost:5000",
        "databricks",
        "sqlite:////other/geheim.db",
        "http://",
        "http://u:geheim@here:port",
        "http://u:geh/eim@here",
        "http://here/?password=geheim",
        "",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_without_being_shown(text):
    with pytest.raises(UserError, match=r"^tracking\.uri: .* http:// or https://") as told:
        server_of(text, {}, OWN)
    assert "geh" not in str(told.value)
    if text:
        with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI: .*; unset it for the project's own database"):
            server_of(None, {"MLFLOW_TRACKING_URI": text}, OWN)


def test_an_address_under_a_mistyped_key_is_refused_without_being_shown():
    with pytest.raises(UserError, match=r'parameters\.tracking\.url: .* did you mean "uri"\?') as told:
        read_study(parameters(tracking={"url": "http://u:geheim@here"}))
    assert "geheim" not in str(told.value)


def test_a_study_does_not_show_its_servers_address():
    study = read_study(parameters(tracking={"uri": "http://u:geheim@here"}))
    assert "geheim" not in f"{study} {study.parameters.model_dump(mode='json')}"


def test_a_server_of_this_version_can_be_used(serve):
    address, asked = serve(version=(200, version("mlflow")), api=(404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}'))
    assert RemoteTracking(address, "someone", SECRET).why_not() is None
    assert {headers["Authorization"] for _, headers in asked} == {"Basic c29tZW9uZTpnZWhlOmlt"}  # someone:gehe:im


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (
            {"version": (200, "2.22.0")},
            r"it is MLflow 2.22.0, and here is 3\..*; the numbers before the dot must agree",
        ),
        ({"version": (200, "<html>Welcome</html>")}, r"what answers is no MLflow server \(200 for /version\)"),
        ({"version": (404, "")}, r"what answers is no MLflow server \(404 for /version\)"),
        ({"version": (403, "Invalid Host header")}, r"it refuses requests for this host's name: .*--allowed-hosts.*"),
        ({"api": (401, "")}, r"it does not know who asks; set MLFLOW_TRACKING_USERNAME and .*"),
        ({"api": (403, "")}, r"it forbids this; MLFLOW_TRACKING_USERNAME and .* must be of who may"),
        ({"api": (503, "")}, r"it answers with error 503"),
    ],
)
def test_what_keeps_a_server_from_being_used_is_a_line(serve, answers, why):
    address, _ = serve(**{"version": (200, version("mlflow")), **answers})
    assert re.fullmatch(why, RemoteTracking(address).why_not())


def test_a_server_that_is_not_there_or_hangs_is_a_line(serve, closed_port, monkeypatch):
    there = RemoteTracking(f"http://127.0.0.1:{closed_port}")
    assert there.why_not() == "it cannot be reached (Connection refused)"
    address, _ = serve(version=(200, version("mlflow")))
    assert RemoteTracking(address.replace("http:", "https:")).why_not() == "it does not speak https://"
    monkeypatch.setattr(tracking_server, "_SECONDS_TO_ASK", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and says nothing
        assert RemoteTracking(f"http://127.0.0.1:{mute.getsockname()[1]}").why_not() == "it does not answer in time"


def test_mlflows_own_errors_are_the_same_lines(serve, closed_port, caplog):
    def said_of(address: str, retries: int = 0) -> str:
        server = RemoteTracking(address)
        server.use()
        with server.in_a_hurry():
            os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(retries)
            with pytest.raises(MlflowException) as raised:
                MlflowClient(address).get_experiment_by_name("any")
        return server.in_words(raised.value)

    assert said_of(f"http://127.0.0.1:{closed_port}", retries=1) == "it cannot be reached (Connection refused)"
    assert said_of(serve(api=(401, "You are not authenticated"))[0]).startswith("it does not know who asks; set")
    assert said_of(serve(api=(503, ""))[0]) == "it answers with errors, time and again"
    assert said_of(serve(api=(400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "a\\nb"}'))[0]) == (
        "it said: INVALID_PARAMETER_VALUE: a b"
    )
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert said_of(f"http://127.0.0.1:{mute.getsockname()[1]}") == "it does not answer in time"
    assert not [line for line in caplog.messages if "Retrying" in line]


def test_waiting_has_limits_that_a_user_can_set(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    server = RemoteTracking("http://here")
    server.use()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "7"
    # Five tries of 15 s with 0, 2, 4 and 8 s between them, and up to a second each by chance.
    tries, pause = (
        tracking_server._PATIENCE["MLFLOW_HTTP_REQUEST_MAX_RETRIES"],
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"],
    )
    assert (int(tries) + 1) * int(pause) + 0 + 2 + 4 + 8 + 4 < 100
    with server.in_a_hurry():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "7"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "15"


def test_who_asks_in_a_way_that_only_mlflow_knows_is_not_refused_beforehand(serve, tmp_path):
    address, _ = serve(version=(200, version("mlflow")), api=(401, ""))
    assert RemoteTracking(address).why_not() is not None
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow/credentials").write_text("[mlflow]\nmlflow_tracking_username = someone\n")
    assert RemoteTracking(address).why_not() is None
