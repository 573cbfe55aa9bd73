"""An update to an image that does not run ends rolled back, and enough old tasks ran all along."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackctl.client.api import Client
from stackctl.client.contexts import Choice, choose_target
from stackctl.errors import ClusterUnavailable
from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SERVICE = "failing_page"
OLD_IMAGE = "stackctl/busybox:test"
REPLICAS = 6
PARALLELISM = 2
PAUSE_SECONDS = 0.02
STACK = f"""
services:
  page:
    image: {OLD_IMAGE}
    command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.2; done"]
    deploy:
      replicas: {REPLICAS}
      update_config: {{parallelism: {PARALLELISM}, monitor: 1s, failure_action: rollback}}
"""
ABSENT = ("--image", "nobody/has-this:1")
CRASHING = ("--image", "stackctl/busybox:next", "--args", 'sh -c "sleep 0.3; exit 3"')


class Sampler:
    """How many tasks of the old image ran, at many moments."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ending = threading.Event()
        self.counts: list[int] = []

    def run(self) -> None:
        """Asks until told to end."""
        while not self._ending.wait(PAUSE_SECONDS):
            try:
                tasks = self._client.tasks(service=SERVICE)
            except ClusterUnavailable:
                continue
            old = [task for task in tasks if task["image"] == OLD_IMAGE]
            self.counts.append(sum(task["state"] == "running" for task in old))

    def end(self) -> None:
        """No further sample."""
        self._ending.set()


@contextmanager
def sampled(lab: LabCluster) -> Iterator[Sampler]:
    """Samples taken while the block runs."""
    target = choose_target(Choice(), {**os.environ, **lab.environment})
    sampler = Sampler(Client(target.endpoints, identity=target.identity))
    thread = threading.Thread(target=sampler.run)
    thread.start()
    try:
        eventually(lambda: sampler.counts, timeout_seconds=10)
        yield sampler
    finally:
        sampler.end()
        thread.join(timeout=30)


@pytest.fixture
def page(lab: LabCluster, tmp_path: Path) -> Iterator[LabCluster]:
    file = tmp_path / "failing.yml"
    file.write_text(STACK)
    lab.run("lab", "up")
    lab.run("deploy", "-c", str(file), "failing")
    lab.await_service(SERVICE, f"{REPLICAS}/{REPLICAS}")
    yield lab
    lab.run("stack", "rm", "failing")


@pytest.mark.parametrize(
    ("change", "order", "least"),
    [
        pytest.param(ABSENT, "stop-first", REPLICAS, id="absent"),
        pytest.param(ABSENT, "start-first", REPLICAS, id="absent-start-first"),
        pytest.param(CRASHING, "stop-first", REPLICAS - PARALLELISM, id="crashing"),
        # It runs before it crashes, which is all that starting first can wait for.
        pytest.param(CRASHING, "start-first", REPLICAS - PARALLELISM, id="crashing-start-first"),
    ],
)
def test_a_failing_update_is_rolled_back_with_enough_old_tasks_running(
    page: LabCluster, change: tuple[str, ...], order: str, least: int
) -> None:
    page.run("service", "update", "--update-order", order, "--rollback-order", order, SERVICE)
    with sampled(page) as sampler:
        done = page.try_run("service", "update", *change, SERVICE)
        page.await_service(SERVICE, f"{REPLICAS}/{REPLICAS}")
    assert done.returncode == 4, done
    assert "rolled back" in done.stderr, done.stderr
    assert min(sampler.counts) >= least, sampler.counts
    images = {task["Image"] for task in page.tasks(SERVICE)}
    assert images == {OLD_IMAGE}
