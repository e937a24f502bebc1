"""An MLflow server that several jobs share: where it is, whether it can be used, and what its failures mean in words.

MLflow itself is not imported here: that takes seconds, and a run wants to know at its start.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from retrieval_vs_diffusion.errors import UserError, one_line

ADDRESS_VARIABLE = "MLFLOW_TRACKING_URI"
USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
_SECONDS_TO_ASK = 5.0
# MLflow's own would have a run wait for half an hour. A server that starts again is waited for; a dead one holds a run
# up for a minute and a half, once.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds, of each try
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",  # seconds, which double
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
_HURRY = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
# Who an address named, as the environment has it, and what it had before.
_named: dict[str, tuple[str, str | None]] = {}
_QUIET = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
_WOULD_DO = "the address of an MLflow server begins with http:// or https://, as http://127.0.0.1:5000 does"
_TIMEOUTS = {"Timeout", "ConnectTimeout", "ReadTimeout", "TimeoutError", "ConnectTimeoutError", "ReadTimeoutError"}
_UNREACHED = {"ConnectionError", "ConnectError", "NewConnectionError", "ProxyError", "ProtocolError", "ReadError"}


@dataclass(frozen=True)
class RemoteTracking:
    """An MLflow server.

    Args:
        address: without what proves who asks.
        username: as the address named it; None for what MLflow's own variables and files say.
        password: likewise; shown nowhere.
    """

    address: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def use(self) -> None:
        """Have MLflow in this process know who asks, and be patient within limits; what the user has set stays."""
        for name, value in (*_PATIENCE.items(), *_QUIET.items()):
            os.environ.setdefault(name, value)
        for name, (ours, before) in _named.items():
            if os.environ.get(name) == ours:  # another server's are none of this one's
                _set(os.environ, name, before)
        _named.clear()
        if self.username is not None:
            for name, value in ((USERNAME, self.username), (PASSWORD, self.password or "")):
                _named[name] = value, os.environ.get(name)
                os.environ[name] = value
        # It tells of every try that failed; one line is told instead, when all have.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    @contextlib.contextmanager
    def in_a_hurry(self) -> Iterator[None]:
        """MLflow does not wait long: this process is being ended."""
        before = {name: os.environ.get(name) for name in _HURRY}
        os.environ.update(_HURRY)
        try:
            yield
        finally:
            for name, value in before.items():
                _set(os.environ, name, value)

    def why_not(self) -> str | None:
        """Why it cannot be used now, in words that follow its address; None where it can.

        Asks for five seconds at most.
        """
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request
        try:
            with httpx.Client(timeout=_SECONDS_TO_ASK, verify=_certificates(), auth=self._auth()) as client:
                client.headers.update(_token())
                told = client.get(f"{self.address}/version")
                if told.status_code in {401, 403}:
                    return _refused(told.status_code, told.text)
                found = re.fullmatch(r"(\d+)\.\d[\w.]*", told.text.strip()) if told.status_code == 200 else None
                if found is None:
                    return f"what answers is no MLflow server ({told.status_code} for /version)"
                ours = version("mlflow")
                if found[1] != ours.split(".")[0]:
                    return f"it is MLflow {found[0]}, and here is {ours}; the numbers before the dot must agree"
                known = client.get(f"{self.address}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"})
                if known.status_code in {401, 403} and not _asks_otherwise():
                    return _refused(known.status_code, known.text)
                return f"it answers with error {known.status_code}" if known.status_code >= 500 else None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self.in_words(error)

    def in_words(self, error: BaseException) -> str:
        """What an error of MLflow's, or of the way to it, means, in words that follow the server's address."""
        chain = list(_with_causes(error))
        kinds = {
            type(each).__name__ for each in chain
        }  # not their bases: urllib3 has a refused connection be a timeout
        said = " ".join(str(each) for each in chain)
        if "CERTIFICATE" in said:
            return "its certificate was not accepted (MLFLOW_TRACKING_SERVER_CERT_PATH names one)"
        if "[SSL" in said:
            return "it does not speak https://"
        if _TIMEOUTS & kinds or "timed out" in said:
            return "it does not answer in time"
        if status := re.search(r"error code (40[13])\b|\b(40[13]) Client Error", said):
            return _refused(int(status[1] or status[2]), "")
        if "too many" in said and "error responses" in said:
            return "it answers with errors, time and again"
        if _UNREACHED & kinds or "Max retries exceeded" in said:
            reason = re.search(r"\[Errno -?\d+\] ([\w ,'-]+)", said)
            return f"it cannot be reached ({reason[1].strip() if reason else 'no connection'})"
        return one_line(f"it said: {self._without_secrets(str(error))}", 300)

    def _auth(self) -> tuple[str, str] | None:
        username = self.username or os.environ.get(USERNAME)
        password = self.password if self.username is not None else os.environ.get(PASSWORD)
        return (username, password) if username and password else None

    def _without_secrets(self, text: str) -> str:
        for secret in (self.password, os.environ.get(PASSWORD), os.environ.get(TOKEN)):
            text = text.replace(secret, "...") if secret else text
        return text


def server_of(parameter: str | None, environment: MutableMapping[str, str], own: Path) -> RemoteTracking | None:
    """The server that runs are written to; None for the project's own database.

    Args:
        parameter: ``tracking.uri``; None for what the environment says.
        environment: of the process; its ``MLFLOW_TRACKING_URI`` counts where the parameter is None.
        own: the project's database, which the environment may name.

    Raises:
        UserError: for what is no server's address; it is not shown, for it may hold a password.
    """
    where = "tracking.uri" if parameter is not None else ADDRESS_VARIABLE
    text = (parameter if parameter is not None else environment.get(ADDRESS_VARIABLE) or "").strip()
    if parameter is None and (not text or text == f"sqlite:///{own}"):
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        unset = "" if parameter is not None else "; unset it for the project's own database"
        raise UserError(f"{where}: found something else; {_WOULD_DO}, and ends before any ? or #{unset}")
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    secrets = [unquote(each) if each is not None else None for each in (parts.username, parts.password)]
    return RemoteTracking(address, *secrets) if secrets[0] else RemoteTracking(address)


def _refused(status: int, said: str) -> str:
    if "Host header" in said:
        return "it refuses requests for this host's name: start it with --allowed-hosts that name it"
    who = f"{USERNAME} and {PASSWORD}, or {TOKEN}"
    return f"it does not know who asks; set {who}" if status == 401 else f"it forbids this; {who} must be of who may"


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _certificates() -> bool | str:
    """As MLflow has it."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}:
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True


def _asks_otherwise() -> bool:
    """Whether MLflow says who asks in a way that only it knows."""
    ways = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH")
    return any(map(os.environ.get, ways)) or Path("~/.mlflow/credentials").expanduser().exists()


def _token() -> dict[str, str]:
    token = os.environ.get(TOKEN)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _set(environment: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        environment.pop(name, None)
    else:
        environment[name] = value
