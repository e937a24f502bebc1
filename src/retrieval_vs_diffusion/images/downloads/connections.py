"""Connections to checked addresses: a name is resolved once, checked, and the checked address is connected to."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from retrieval_vs_diffusion.images.downloads.addresses import RefusedAddressError, Resolve, is_public
from retrieval_vs_diffusion.images.downloads.settings import Downloads

CONNECT_SECONDS = 4.0  # for each of a host's addresses, so that a second one is tried in time


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Certificates are checked against the usual authorities; the environment changes nothing."""
    return httpx.create_ssl_context(trust_env=False)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Every connection goes through here, so that none goes to an address that was not checked.

    A name is resolved once and its answer kept: that it stands for another address a moment later (DNS
    rebinding) changes nothing. TLS still checks the certificate against the name.

    Args:
        resolve: asks for a host's IP addresses.
        private_addresses: whether any address will do.
    """

    def __init__(self, resolve: Resolve, private_addresses: bool) -> None:
        self._resolve = resolve
        self._private_addresses = private_addresses
        self._network = httpcore.AnyIOBackend()
        self._asked: dict[str, asyncio.Task[list[str]]] = {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of a host's addresses that answers.

        Raises:
            RefusedAddressError: if one of them is not public; then none is connected to.
            UnknownHostError: if it has none.
            httpcore.ConnectError, httpcore.ConnectTimeout: if none answers.
        """
        addresses = await self.addresses(host, port)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout or CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Sockets of this machine are never connected to."""
        raise RefusedAddressError("a private address")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The checked addresses of a host."""
        if host not in self._asked:
            self._asked[host] = asyncio.ensure_future(self._resolve(host, port))
            self._asked[host].add_done_callback(_see)
        asked = self._asked[host]
        try:
            found = await asyncio.shield(asked)  # others wait for the same answer
        except OSError as error:
            self._asked.pop(host, None)  # the next may find the resolver in a better mood
            raise httpcore.ConnectError(f"cannot resolve {host}: {error}") from error
        if not self._private_addresses and not all(is_public(address) for address in found):
            raise RefusedAddressError("a private address")
        return found

    def close(self) -> None:
        """Wait for no resolver any longer."""
        for task in self._asked.values():
            task.cancel()


def _see(task: asyncio.Task[list[str]]) -> None:
    """Take note of a failure that all who waited for it have given up on; asyncio would complain of it."""
    if not task.cancelled():
        task.exception()


def open_pool(
    backend: CheckedBackend, settings: Downloads, ssl_context: ssl.SSLContext
) -> httpcore.AsyncConnectionPool:
    """Connections without proxies, cookies, logins or HTTP/2, each for one answer.

    One that was kept would be one more at its host than there are downloads, while another process has its turn there.
    """
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl_context,
        max_connections=settings.concurrency,
        max_keepalive_connections=0,
        network_backend=backend,
    )
