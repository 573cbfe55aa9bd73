"""A command line beside a fake manager: `run("service", "ls")` gives exit code and output."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.cli import main
from stackctl.client.convergence import Limits
from stackctl.model import specs
from tests.command_line import Done, Run, service_spec
from tests.fakes.api import FakeApi, serve
from tests.fakes.api_cluster import FakeCluster

# Long enough to be seen, too short to be felt.
HASTY = Limits(stable_seconds=0.05, look_period_seconds=0.005)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def fake_api(tmp_path: Path, cluster: FakeCluster) -> Iterator[FakeApi]:
    with serve(tmp_path / "manager.sock", cluster) as server:
        yield server


@pytest.fixture
def environment(fake_api: FakeApi, tmp_path: Path) -> dict[str, str]:
    return {
        "STACKCTL_ENDPOINT": fake_api.endpoint,
        "STACKCTL_CONFIG_DIR": str(tmp_path / "config"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def run(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*words: str) -> Done:
        code = main.main(words, environment, limits=HASTY)
        return Done(code, *capsys.readouterr())

    return run_command


@pytest.fixture
def shop(cluster: FakeCluster) -> FakeCluster:
    """The cluster with the stack `shop` running: two web tasks with a config and a secret, one db
    task.
    """
    services = (service_spec("shop_web"), service_spec("shop_db", image="db:1", replicas=1))
    networks = (specs.NetworkSpec(name="shop_default"),)
    spec = specs.StackSpec(
        name="shop",
        services=services,
        networks=networks,
        configs=(specs.ConfigSpec(name="shop_motd", content=b"hello"),),
        secrets=(specs.SecretSpec(name="shop_key", content=b"hush"),),
    )
    cluster.put_stack(spec, prune=False)
    cluster.settle()
    return cluster
