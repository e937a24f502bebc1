import pytest

from tests.images.downloads.server import serve


@pytest.fixture
def web():
    with serve() as running:
        yield running
