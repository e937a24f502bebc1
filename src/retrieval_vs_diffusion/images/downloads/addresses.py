"""Which addresses may be asked: those of the public internet alone, for anyone can write a link into a pool."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

import httpx

# Host and port to the IP addresses that the name stands for.
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # IPv4 as networks with IPv6 alone see it (RFC 6052)
_LONGEST_URL = 8_000  # characters; what servers accept
_LARGEST_PORT = 65_535


class RefusedAddressError(Exception):
    """An address that is not asked; the message says what it is, to stand after ``refused``."""


class UnknownHostError(Exception):
    """A name that stands for no address."""


def parse(url: str, schemes: Sequence[str]) -> httpx.URL:
    """Check what can be checked of an address before its name is resolved.

    Raises:
        RefusedAddressError: if it is malformed, of another scheme, or carries a user's name or password.
    """
    try:
        parsed = httpx.URL(url if len(url) <= _LONGEST_URL else "")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise RefusedAddressError("a malformed address") from error
    if parsed.scheme not in schemes:
        raise RefusedAddressError(f"a {parsed.scheme[:10]} address" if parsed.scheme else "a malformed address")
    if not parsed.raw_host or (parsed.port is not None and not 0 < parsed.port <= _LARGEST_PORT):
        raise RefusedAddressError("a malformed address")
    if parsed.userinfo:  # would be sent as a login
        raise RefusedAddressError("an address with a password")
    return parsed


def follow(url: httpx.URL, location: str, schemes: Sequence[str]) -> httpx.URL:
    """The address to which an answer redirects.

    Raises:
        RefusedAddressError: as ``parse`` does.
    """
    try:
        target = str(url.join(location))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise RefusedAddressError("a malformed address") from error
    return parse(target, schemes)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, however it is written.

    Not public are loopback, private and shared networks, link-local ones (cloud machines answer there with
    their credentials), reserved ones, multicast, and IPv6 addresses that stand for such a one of IPv4.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _TRANSLATED else ip.ipv4_mapped
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local or ip.sixtofour or ip.teredo:  # tunnels, whose other end may be anything
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


async def system_resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for a host's IP addresses, in the order in which to try them.

    Raises:
        UnknownHostError: if there is no such name.
        OSError: if the resolver cannot tell now.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def deliver(found: list[str] | Exception) -> None:
        if answer.done():  # nobody waits any longer
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found = _ask_system(host, port)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(deliver, found)

    # Threads of an executor would be waited for at the end, and a resolver may take half a minute to give up.
    threading.Thread(target=ask, daemon=True, name="resolver").start()
    return await answer


def _ask_system(host: str, port: int) -> list[str] | Exception:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error if error.errno == socket.EAI_AGAIN else UnknownHostError(host)
    except OSError as error:
        return error
    except Exception:  # a label that is empty or too long, a port that is none
        return UnknownHostError(host)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
