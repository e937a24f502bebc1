"""What goes wrong with a store is one line that names the address, and no key."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import fsspec  # noqa: F401
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote import store
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.remote.settings import Remote, use
from tests.remote.s3_server import ENVIRONMENT, new_bucket


def told_by(ask) -> str:
    with pytest.raises(UserError) as told:
        ask()
    line = str(told.value)
    assert "\n" not in line
    for secret in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert ENVIRONMENT[secret] not in line
    return line


def test_a_bucket_that_is_not_there(s3, remote_cache):
    line = told_by(lambda: as_path("s3://no-such-bucket-here/photos").exists())
    assert line == "s3://no-such-bucket-here: there is no such bucket; name one that is there"


def test_a_key_that_is_not_there_is_absent(bucket, remote_cache):
    assert not as_path(bucket.address("no/such/key")).exists()


def test_a_file_that_may_not_be_read(s3, remote_cache):
    bucket = new_bucket(s3)
    bucket.put("photos/1.png", b"x")
    bucket.deny("s3:GetObject")
    line = told_by(lambda: next(as_path(bucket.address("photos")).iterdir()).read_bytes())
    assert f"{bucket.address('photos/1.png')}: access is denied" in line
    assert "credentials that may list and read it will do" in line


def test_credentials_that_the_store_does_not_know(bucket, remote_cache, monkeypatch):
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)  # from now on it asks who one is
    line = told_by(lambda: as_path(bucket.address("photos")).exists())
    assert f"{bucket.address('photos')}: access is denied (InvalidAccessKeyId)" in line
    assert "credentials that may list and read it will do" in line


def test_a_store_that_cannot_be_reached(s3, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens there
        use(Remote(folder=str(tmp_path), endpoint_url=f"http://127.0.0.1:{closed.getsockname()[1]}"), Path("/"))
        line = told_by(lambda: as_path("s3://bucket/photos").exists())
    assert "the store at http://127.0.0.1:" in line
    assert "cannot be reached (EndpointConnectionError" in line


def test_no_credentials(s3, remote_cache, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    line = told_by(lambda: as_path("s3://bucket/photos").exists())
    assert "s3://bucket/photos: no credentials were found; set AWS_PROFILE" in line
    assert "remote.anonymous: true" in line


def test_a_public_bucket_needs_none(s3, bucket, tmp_path, monkeypatch):
    bucket.client.put_bucket_acl(Bucket=bucket.name, ACL="public-read")
    bucket.client.put_object(Bucket=bucket.name, Key="public.txt", Body=b"x", ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    use(Remote(folder=str(tmp_path), anonymous=True), Path("/"))
    assert as_path(bucket.address("public.txt")).read_bytes() == b"x"


def test_the_driver_is_not_installed(s3, remote_cache, monkeypatch):
    monkeypatch.setattr(store, "_systems", {})
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(
        sys.modules["fsspec.registry"]._registry, "s3", raising=False
    )  # which remembers what it imported
    line = told_by(lambda: as_path("s3://bucket/photos").exists())
    assert "needs the package s3fs, which is not installed; `pip install -c constraints.txt -e '.[s3]'`" in line


def test_an_endpoint_of_its_own_goes_before_the_environments(bucket, tmp_path, monkeypatch):
    bucket.put("mine.txt", b"x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    use(Remote(folder=str(tmp_path), endpoint_url=bucket.endpoint), Path("/"))
    assert as_path(bucket.address("mine.txt")).read_bytes() == b"x"


def test_credentials_in_an_endpoint_are_refused_and_not_shown():
    line = told_by(lambda: Remote(endpoint_url="https://me:hidden@minio.example"))
    assert "remote.endpoint_url: holds credentials" in line
    assert "hidden" not in line
