"""Files of the Hugging Face hub: from its cache, or fetched; where the hub is out of reach, told at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError

_PATIENCE = 5  # seconds; the hub's own client tries six times, with waits between
_NAME = "retrieval_vs_diffusion"


def fetch_file(repository: str, filename: str, what: str, remedy: str) -> Path:
    """A file of a repository, from the cache or the hub.

    Args:
        repository: such as ``laion/CLIP-ViT-B-32-laion2B-s34B-b79K``.
        filename: in it.
        what: for whom it is wanted, for the error: ``clip.model: ViT-B-32/openai``.
        remedy: what would do instead, for the error.

    Raises:
        UserError: if it is not in the cache and the hub cannot be reached, or has no such file.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    cached = try_to_load_from_cache(repository, filename)
    if isinstance(cached, str):
        return Path(cached)
    address = f"{_endpoint()}/{repository}/resolve/main/{filename}"
    reason = _out_of_reach()
    if reason:
        raise UserError(f"{what}: {reason}; bring {address} ({remedy})")
    try:
        return Path(hf_hub_download(repository, filename, library_name=_NAME))
    except LocalEntryNotFoundError as error:  # also an EntryNotFoundError: the connection broke
        raise UserError(f"{what}: {address} could not be fetched; try again, or bring it ({remedy})") from error
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise UserError(
            f"{what}: the hub has no {repository}/{filename}, and other formats can run code when read; bring the "
            f"weights as .safetensors ({remedy})"
        ) from error


def fetch_folder(repository: str, patterns: Sequence[str], what: str, remedy: str) -> Path:
    """A folder with those files of a repository that match, from the cache or the hub.

    Args:
        repository: such as ``laion/CLIP-ViT-B-32-laion2B-s34B-b79K``.
        patterns: of names, such as ``*.json``.
        what: for whom it is wanted, for the error.
        remedy: what would do instead, for the error.

    Raises:
        UserError: if it is not in the cache and the hub cannot be reached, or knows no such repository.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    reason = _out_of_reach()
    try:
        # Offline it gives what the cache holds of the repository.
        return Path(
            snapshot_download(
                repository, allow_patterns=list(patterns), local_files_only=bool(reason), library_name=_NAME
            )
        )
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{what}: {reason or 'the connection broke'}; bring {_endpoint()}/{repository} ({remedy})"
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise UserError(
            f"{what}: the hub gives no {repository} ({' '.join(str(error).split())[:150]}); {remedy}"
        ) from error


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _out_of_reach() -> str:
    """Why nothing can be fetched; empty where the hub answers."""
    from huggingface_hub import constants, get_session

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(_endpoint(), timeout=_PATIENCE)
    except Exception as error:  # whatever the client of the day raises for names, proxies, certificates and time
        return f"{_endpoint()} cannot be reached ({' '.join(str(error).split())[:80] or type(error).__name__})"
    return ""
