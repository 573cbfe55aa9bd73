"""Labs for whole-cluster tests: one with juergenapp on it, shared; others on demand."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster


@pytest.fixture(scope="session")
def lab() -> Iterator[LabCluster]:
    """Three nodes, one of them a manager, for the whole run."""
    with tempfile.TemporaryDirectory(prefix="stackctl-t-") as folder:
        cluster = LabCluster(Path(folder), f"e{os.getpid():x}")
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


@pytest.fixture
def juergenapp(lab: LabCluster) -> LabCluster:
    """The lab with all faults ended and the example converged on it, whatever ran before."""
    lab.run("lab", "up")
    lab.deploy_juergenapp()
    lab.await_service("juergenapp_web", "3/3")
    lab.await_service("juergenapp_backenddb", "1/1")
    return lab
