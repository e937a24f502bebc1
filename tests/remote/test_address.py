"""What counts as an address, and which are refused before anything is asked of a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.remote_path import RemotePath, as_path


@pytest.mark.parametrize("path", ["/my/photos", "photos", "ViT-B-32", "hf-hub:org/name", "C:\\photos", "a//b"])
def test_what_is_no_address_is_a_path_as_before(path):
    assert type(as_path(path)) is type(Path(path))
    assert as_path(path) == Path(path)


def test_an_address_keeps_its_two_slashes_and_loses_needless_ones():
    assert str(as_path("s3://bucket//photos/cats/")) == "s3://bucket/photos/cats"
    assert isinstance(as_path("gs://bucket/x"), RemotePath)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("ftp://host/photos", "ftp://: is no store that can be read; s3://, gs://, az:// will do"),
        ("file:///etc/passwd", "file://: is no store"),
        ("https://host/photos.tar", "https://: is no store"),
        ("s3:///photos", "s3:///photos: names no bucket; s3://bucket/folder will do"),
    ],
)
def test_an_address_of_no_store_is_one_line(address, line):
    with pytest.raises(UserError) as told:
        as_path(address)
    assert line in str(told.value)


def test_credentials_in_an_address_are_refused_and_not_shown():
    with pytest.raises(UserError) as told:
        as_path("s3://AKIAKEY:SECRET@bucket/photos")
    assert "holds credentials" in str(told.value)
    assert not {"AKIAKEY", "SECRET"} & set(str(told.value).replace(":", " ").split())
    assert "SECRET" not in str(told.value)


def test_a_store_without_its_driver_says_what_to_install(remote_cache):
    pytest.importorskip("fsspec")
    try:
        import gcsfs  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match="gs://: needs the package gcsfs, which is not installed"):
            as_path("gs://bucket/x").exists()
