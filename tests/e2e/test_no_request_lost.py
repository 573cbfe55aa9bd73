"""Under constant load no request fails: over updates in either order, and over a drain."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import STACKCTL, LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

LOAD = Path(__file__).with_name("load.py")
REQUESTS = 20_000
PORT = 8088
STACK = """
services:
  page:
    image: nginx:1.22
    stop_signal: SIGQUIT  # nginx ends what it has begun, as any server does that is worth updating
    configs:
      - {source: page, target: /etc/nginx/conf.d/default.conf}
    healthcheck:
      test: [CMD, bash, -c, "exec 3<>/dev/tcp/127.0.0.1/80"]
      interval: 1s
    ports: ["8088:80"]
    deploy:
      replicas: 3
      update_config: {parallelism: 1, monitor: 500ms}
configs:
  page:
    content: |
      server { listen 80; location / { return 200 "here\\n"; } }
"""


class Load:
    """The load as it goes on: how much it has sent so far."""

    def __init__(self, count_file: Path) -> None:
        self._count_file = count_file

    @property
    def sent(self) -> int:
        """Requests so far."""
        text = self._count_file.read_text() if self._count_file.exists() else ""
        return int(text or 0)


@pytest.fixture
def page(lab: LabCluster, tmp_path: Path) -> Iterator[LabCluster]:
    file = tmp_path / "page.yml"
    file.write_text(STACK)
    lab.run("lab", "up")
    lab.run("deploy", "-c", str(file), "load")
    yield lab
    lab.run("node", "update", "--availability", "active", "worker2")
    lab.run("stack", "rm", "load")


@contextmanager
def load(lab: LabCluster, folder: Path, nodes: list[str]) -> Iterator[Load]:
    """Load from inside worker1 on the port of these nodes; no request of it may fail."""
    stop_file, count_file = folder / "stop", folder / "count"
    addresses = [f"{lab.address(node)}:{PORT}" for node in nodes]
    words = ["lab", "exec", "worker1", "--", sys.executable, str(LOAD)]
    process = subprocess.Popen(
        [STACKCTL, *words, str(stop_file), str(count_file), *addresses],
        env=lab.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        running = Load(count_file)
        eventually(lambda: running.sent > 0, timeout_seconds=20)
        yield running
        stop_file.touch()
        printed, _ = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=10)
    result = json.loads(printed)
    assert result["failed"] == 0, result
    assert result["sent"] >= running.sent


def repeat_until_sent(running: Load, act: Callable[[], object]) -> None:
    """The act, again and again, until enough requests were sent while it went on."""
    begun_at = running.sent
    while running.sent - begun_at < REQUESTS:
        before = running.sent
        act()
        assert running.sent > before, "the load has ended"


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_an_update_loses_no_request(page: LabCluster, tmp_path: Path, order: str) -> None:
    page.run("service", "update", "--update-order", order, "load_page")
    with load(page, tmp_path, ["manager1", "worker1", "worker2"]) as running:
        repeat_until_sent(running, lambda: page.run("service", "update", "--force", "load_page"))


def test_one_replica_that_starts_first_is_updated_without_an_outage(
    page: LabCluster, tmp_path: Path
) -> None:
    page.run("service", "update", "--replicas", "1", "--update-order", "start-first", "load_page")
    with load(page, tmp_path, ["manager1", "worker2"]) as running:
        for _ in range(3):
            page.run("service", "update", "--force", "load_page")
    assert running.sent > 0


def test_a_drain_loses_no_request(page: LabCluster, tmp_path: Path) -> None:
    def drain_and_return() -> None:
        page.run("node", "update", "--availability", "drain", "worker2")
        eventually(
            lambda: "worker2" not in page.running_on("load_page").values(), timeout_seconds=30
        )
        page.await_service("load_page", "3/3")
        page.run("node", "update", "--availability", "active", "worker2")
        page.run("service", "update", "--force", "load_page")

    with load(page, tmp_path, ["manager1", "worker1"]) as running:
        repeat_until_sent(running, drain_and_return)
