"""How addresses are shared out: a host's addresses together, so that whoever asks them keeps the host's limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from retrieval_vs_diffusion.images.downloads.shard import LARGEST

_SHARES, _SMALLEST = 32, 100  # so many, for so many machines; smaller ones cost more to keep than to fetch


def shares_of(urls: Sequence[str]) -> list[list[Sequence[str]]]:
    """Share addresses out, the same way whoever asks them, and however many.

    No two shares have a host in common. Each is a list of shards; it is one shard of at most ``LARGEST`` addresses,
    but for the addresses of a host that has more of them. Those come first, as they take longest.

    Args:
        urls: distinct.

    Example:
        >>> shares_of(["http://a/1", "http://b/2", "http://a/3"])
        [[['http://a/1', 'http://a/3', 'http://b/2']]]
    """
    hosts: dict[str, list[str]] = {}
    for url in urls:
        hosts.setdefault(host_of(url), []).append(url)
    shares = [_in_shards(share) for share in _filled(hosts.values(), -(-len(urls) // _SHARES))]
    return sorted(shares, key=len, reverse=True)


def host_of(url: str) -> str:
    """The host of an address; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _filled(hosts: Iterable[list[str]], size: int) -> list[list[str]]:
    """Put hosts together until there are so many addresses."""
    size = min(max(size, _SMALLEST), LARGEST)
    shares: list[list[str]] = []
    for addresses in hosts:
        if shares and len(shares[-1]) + len(addresses) <= size:
            shares[-1] += addresses
        else:
            shares.append(list(addresses))
    return shares


def _in_shards(share: Sequence[str]) -> list[Sequence[str]]:
    return [share[start : start + LARGEST] for start in range(0, len(share), LARGEST)]
