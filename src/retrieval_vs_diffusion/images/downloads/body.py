"""Reading an answer's body without ever holding more of it than is allowed."""

from __future__ import annotations

import zlib
from typing import Any

import httpcore

_PACKED = {"gzip", "x-gzip", "deflate"}
_EITHER = 32 + zlib.MAX_WBITS  # zlib and gzip, by what the bytes begin with


class BodyError(Exception):
    """A body that is not taken; the message says why, in few words."""


def header(response: httpcore.Response, name: str) -> str:
    """The values of a header, joined by commas; empty where it is not there."""
    wanted = name.lower().encode()
    return ", ".join(_text(value).strip() for key, value in response.headers if key.lower() == wanted)


def _text(value: bytes) -> str:
    try:
        return value.decode()  # as browsers send and servers redirect, whatever the standard says
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def read_body(response: httpcore.Response, largest_bytes: int) -> bytes:
    """Read a body as it comes, unpacking it where it is packed.

    Args:
        response: whose body was not read yet.
        largest_bytes: of the body, and of what is unpacked from it.

    Raises:
        BodyError: if it is larger, empty, packed in a way that was not asked for, or broken.
        httpcore.NetworkError, httpcore.ProtocolError: if the connection breaks.
    """
    announced = header(response, "content-length")
    if announced.isdecimal() and int(announced[:20]) > largest_bytes:
        raise BodyError("too large")
    unpack = _unpacker(header(response, "content-encoding"))
    body, received = bytearray(), 0
    async for chunk in response.aiter_stream():
        received += len(chunk)
        if received > largest_bytes:
            raise BodyError("too large")
        if unpack is None:
            body += chunk
            continue
        try:
            body += unpack.decompress(chunk, largest_bytes + 1 - len(body))
        except zlib.error as error:
            raise BodyError("broken compression") from error
        if len(body) > largest_bytes:  # found after one byte too many: a bomb never goes off
            raise BodyError("too large")
    if not body:
        raise BodyError("empty answer")
    return bytes(body)


def _unpacker(encoding: str) -> Any:  # zlib names no type of what unpacks
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if not names:
        return None
    if len(names) > 1 or names[0] not in _PACKED:  # packed twice is what bombs are
        raise BodyError("unknown compression")
    return zlib.decompressobj(_EITHER)
