"""How files in object stores are reached and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.address import is_remote
from retrieval_vs_diffusion.remote.cache import keep_in
from retrieval_vs_diffusion.remote.listing import forget_listings
from retrieval_vs_diffusion.remote.store import reach


def _without_credentials(endpoint: str | None) -> str | None:
    if endpoint is not None and "@" in urlsplit(endpoint).netloc:
        raise UserError(
            "remote.endpoint_url: holds credentials; leave them out and set them in the environment, as AWS's tools "
            "read them"
        )
    return endpoint


def _on_a_disk(folder: str) -> str:
    check_on_a_disk(folder, "remote.folder")
    return folder


def check_on_a_disk(folder: str, where: str) -> None:
    """Refuse an address for what a run writes: locks and renames need a file system.

    Args:
        folder: as it is written.
        where: its place in the parameters.

    Raises:
        UserError: if it is one.
    """
    if is_remote(folder):
        raise UserError(f"{where}: found {folder}; what a run writes lies on a disk, so a folder on one will do")


class Remote(BaseModel):
    """Where copies of remote files lie, and how the store is reached; no result depends on it.

    Credentials are none of it: s3fs takes them from the environment or AWS's own files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, AfterValidator(_on_a_disk)] = "data/01_raw/remote"
    at_most_gb: Annotated[float, Field(gt=0)] = 100.0  # those that were not used for longest are removed
    endpoint_url: Annotated[str | None, AfterValidator(_without_credentials)] = None  # null: AWS_ENDPOINT_URL, or AWS
    anonymous: bool = False  # public buckets, without credentials


def use(settings: Remote, root: Path) -> None:
    """Reach and keep remote files so from now on; what is known of stores is forgotten, to be asked for anew.

    Args:
        settings: of the running command.
        root: the project's folder, from which ``folder`` counts.
    """
    keep_in(root / settings.folder, int(settings.at_most_gb * 1e9))
    reach(settings.endpoint_url, settings.anonymous)
    forget_listings()
