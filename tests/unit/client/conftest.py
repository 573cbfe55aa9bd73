"""The fake API for tests of the client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.client import transport
from stackctl.client.api import Client
from tests.fakes.api import FakeApi, serve
from tests.fakes.api_cluster import FakeCluster


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def fake_api(tmp_path: Path, cluster: FakeCluster) -> Iterator[FakeApi]:
    with serve(tmp_path / "manager.sock", cluster) as server:
        yield server


@pytest.fixture
def client(fake_api: FakeApi) -> Client:
    return Client([transport.parse_endpoint(fake_api.endpoint)])
