"""Object stores through fsspec: what lies where, and fetching it; what goes wrong is a line that names the address."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.address import DRIVERS, protocol_of

_CONNECT_SECONDS, _READ_SECONDS = 5, 30
# Of requests by botocore, and of what then breaks off by s3fs: both together where there is no answer.
_REQUESTS, _TRIES = 3, 2
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "last_modified")


@dataclass(frozen=True)
class Stored:
    """A file in a store.

    Args:
        size: bytes.
        version: what the store changes when it holds other bytes: the ETag.
    """

    size: int
    version: str


_endpoint: str | None = None
_anonymous = False
# By process, for their connections do not come through a fork, and by what they were made with; shared by threads.
_systems: dict[tuple[Any, ...], Any] = {}


def reach(endpoint_url: str | None, anonymous: bool) -> None:
    """Reach S3 at this address from now on (None: ``AWS_ENDPOINT_URL``, or AWS), with or without credentials."""
    global _endpoint, _anonymous
    _endpoint, _anonymous = endpoint_url, anonymous


def files_under(address: str) -> dict[str, Stored]:
    """All files under an address by their names from it; the file itself, if it is one, has the name ``""``.

    A name that ends in a slash is a folder's. There are none where nothing is.

    Raises:
        UserError: if there is no such bucket, it may not be listed, or cannot be reached.
    """
    with _told(address):
        system = _system_of(address)
        place = system._strip_protocol(address).rstrip("/")
        found = system.find(place, detail=True)
    return {
        name[len(place) :].removeprefix("/"): _stored(about)
        for name, about in found.items()
        if name == place or (name.startswith(f"{place}/") and len(name) > len(place) + 1)  # no marker of the folder
    }


def stored_at(address: str) -> Stored:
    """What the store says of a file now.

    Raises:
        UserError: if it is not there, or cannot be asked for.
    """
    with _told(address):
        system = _system_of(address)
        return _stored(system.info(system._strip_protocol(address), refresh=True))


def fetch(address: str, file: Path) -> None:
    """Write a file's bytes to a local one.

    Raises:
        UserError: if it is not there any more, or the connection broke again and again.
    """
    with _told(address):
        system = _system_of(address)
        system.get_file(system._strip_protocol(address), str(file))


def read_range(address: str, start: int, end: int) -> bytes:
    """The bytes from ``start`` up to ``end``.

    Raises:
        UserError: as ``fetch`` does.
    """
    with _told(address):
        system = _system_of(address)
        return bytes(system.cat_file(system._strip_protocol(address), start=start, end=end))


def _stored(about: Mapping[str, Any]) -> Stored:
    version = next((about[key] for key in _VERSIONS if about.get(key)), "")
    return Stored(int(about.get("size") or 0), str(version).strip('"'))


def _system_of(address: str) -> Any:
    protocol = protocol_of(address)
    environment = hash(tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith("AWS_"))))
    key = (os.getpid(), protocol, _endpoint, _anonymous, environment)
    if key not in _systems:
        _systems[key] = _connected(protocol)
    return _systems[key]


def _connected(protocol: str) -> Any:
    import fsspec

    driver = DRIVERS[protocol]
    options: dict[str, Any] = {}
    if driver == "s3fs":
        waits = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS}
        tries = {"total_max_attempts": _REQUESTS, "mode": "standard"}
        options = {"config_kwargs": {**waits, "retries": tries}, "anon": _anonymous}
        options |= {"endpoint_url": _endpoint} if _endpoint else {}
    try:
        # Its cache of listings would hide changes.
        system = fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        extra = "pip install -c constraints.txt -e '.[s3]'" if driver == "s3fs" else f"pip install {driver}"
        raise UserError(f"{protocol}://: needs the package {driver}, which is not installed; `{extra}`") from error
    if driver == "s3fs":
        system.retries = _TRIES
    return system


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Say what went wrong in our words: what a store or its driver says may hold names of keys and signed addresses."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        bucket = "/".join(address.split("/")[:3])
        if _code(error) == "NoSuchBucket":
            raise UserError(f"{bucket}: there is no such bucket; name one that is there") from error
        raise UserError(f"{address}: is not there (any more); run again when it is") from error
    except PermissionError as error:
        raise UserError(
            f"{address}: access is denied ({_code(error)}); credentials that may list and read it will do, in the "
            "environment or AWS's own files"
        ) from error
    except Exception as error:  # drivers raise their own, those of their HTTP client, and of the system
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        kinds = [kind.__name__ for kind in type(error).__mro__]
        if "NoCredentialsError" in kinds or "PartialCredentialsError" in kinds:
            raise UserError(
                f"{address}: no credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or remote.anonymous: true for a public bucket"
            ) from error
        if _is_of_the_network(error, kinds):
            where = _endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
            raise UserError(
                f"{address}: the store at {_shown(where)} cannot be reached ({kinds[0]}, tried several times); check "
                "the network and AWS_ENDPOINT_URL, then run the same command again"
            ) from error
        raise UserError(f"{address}: cannot be read ({_code(error)}); check the address, then run again") from error


def _is_of_the_network(error: Exception, kinds: list[str]) -> bool:
    known = {"HTTPClientError", "ConnectionError", "ClientConnectionError", "ClientPayloadError", "TimeoutError"}
    return bool(known & set(kinds)) or (isinstance(error, OSError) and error.errno == errno.EBUSY)


def _code(error: BaseException) -> str:
    """The store's own code for an error, such as ``NoSuchBucket``; else the error's type."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            return str(response.get("Error", {}).get("Code", type(error).__name__))[:60]
        cause = cause.__cause__
    return type(error).__name__


def _shown(endpoint: str) -> str:
    """An endpoint without what stands before an @ in it."""
    scheme, _, rest = endpoint.rpartition("://")
    host = rest.split("/")[0].rpartition("@")[2]
    return f"{scheme}://{host}" if scheme else host
