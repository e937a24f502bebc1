"""A real S3 server on this machine's loopback, and its content as tests want it."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Boto looks for credentials of a machine in the cloud otherwise, and for the user's own.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test-access-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}


@dataclass(frozen=True)
class Bucket:
    """A bucket with what tests put there.

    Args:
        name: of the bucket.
        client: boto3's.
        endpoint: of the server.
    """

    name: str
    client: Any
    endpoint: str

    def address(self, key: str = "") -> str:
        return f"s3://{self.name}/{key}".rstrip("/")

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def upload(self, place: Path, to: str) -> str:
        """Put a file, or all files of a folder, under a key; gives its address."""
        files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
        for file in files:
            key = to if file == place else f"{to}/{file.relative_to(place).as_posix()}"
            self.put(key, file.read_bytes())
        return self.address(to)

    def deny(self, action: str) -> None:
        """Refuse an action such as ``s3:GetObject`` to everyone."""
        resources = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resources}
        import json

        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client.put_bucket_policy(Bucket=self.name, Policy=policy)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """A server while the block runs, with the environment that leads to it; gives its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patched.setenv(name, value)
        patched.delenv("AWS_PROFILE", raising=False)
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def new_bucket(endpoint: str) -> Bucket:
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint)
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=name)
    return Bucket(name, client, endpoint)
