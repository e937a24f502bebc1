"""Addresses of files and folders in object stores."""

from __future__ import annotations

import re
from typing import Any

from retrieval_vs_diffusion.errors import UserError

# The package that each protocol needs. Only stores that list what they hold with a version of each file: a page of the
# web has neither, and what lies on the disk is given by its path.
DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_remote(address: Any) -> bool:
    """Whether something is written as an address and not as a path.

    >>> is_remote("s3://bucket/photos"), is_remote("/my/photos"), is_remote("hf-hub:org/name")
    (True, False, False)
    """
    return isinstance(address, str) and _ADDRESS.match(address) is not None


def protocol_of(address: str) -> str:
    """What an address begins with, e.g. ``s3``.

    Raises:
        UserError: if it is none of a store that can be read, or holds credentials; they are not shown.
    """
    found = _ADDRESS.match(address)
    protocol = found[1] if found else ""
    if protocol not in DRIVERS:
        raise UserError(f"{protocol or address}://: is no store that can be read; {', '.join(_known())} will do")
    bucket = address[len(protocol) + 3 :].partition("/")[0]
    if "@" in bucket and DRIVERS[protocol] != "adlfs":  # Azure's container@account
        raise UserError(
            f"{protocol}://...@{bucket.rpartition('@')[2]}: holds credentials; leave them out and set them in the "
            "environment, as AWS's tools read them"
        )
    if not bucket:
        raise UserError(f"{address}: names no bucket; {protocol}://bucket/folder will do")
    return protocol


def _known() -> list[str]:
    return [f"{protocol}://" for protocol in ("s3", "gs", "az")]
