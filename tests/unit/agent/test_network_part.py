"""The thread that keeps the network at the newest set: what waits there, and what does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.drivers.config_files import ConfigFiles
from agent.drivers.disk import AgentFolder
from agent.drivers.secret_files import SecretFiles
from agent.drivers.task_files import TaskFiles
from agent.drivers.task_rules import ContainerSandbox
from agent.worker.network_part import NetworkPart
from stackctl.model.assignment import AssignmentSet, Backend
from tests.eventually import eventually
from tests.fakes.memory_disk import PlainDisk
from tests.fakes.network import FakeNetwork
from tests.overlay_assignments import backend, endpoint

CONTAINERS = 1000
FIRST, SECOND = backend(1, "10.77.1.11"), backend(2, "10.77.1.12")


def assigned(index: int, *backends: Backend) -> AssignmentSet:
    return AssignmentSet(
        node_id="n1", term=1, index=index, endpoints=(endpoint("10.77.1.200", backends),)
    )


Start = Callable[[FakeNetwork], NetworkPart]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[NetworkPart] = []
    sandboxes = {
        str(number): ContainerSandbox(task_id=str(number), pid=number)
        for number in range(CONTAINERS)
    }

    def begin(network: FakeNetwork) -> NetworkPart:
        part = NetworkPart(
            network=network,
            folder=AgentFolder(tmp_path / "agent"),
            files=TaskFiles(
                configs=ConfigFiles(tmp_path / "configs"),
                secrets=SecretFiles(PlainDisk(tmp_path / "secrets")),
            ),
            sandboxes=lambda: sandboxes,
            on_networks=lambda _names: None,
            on_applied=lambda _index: None,
        )
        part.start()
        made.append(part)
        return part

    yield begin
    for part in made:
        part.stop()


def test_a_backend_that_leaves_does_not_wait_behind_those_that_come(start: Start) -> None:
    network = FakeNetwork()
    part = start(network)

    part.hand_over(assigned(1, FIRST))
    eventually(lambda: network.applied == [1], timeout_seconds=5)
    part.hand_over(assigned(2, FIRST, SECOND))
    part.hand_over(assigned(3, SECOND))

    eventually(lambda: network.applied == [1, 3], timeout_seconds=5)


def test_backends_that_come_one_by_one_are_added_together_in_the_end(start: Start) -> None:
    network = FakeNetwork()
    part = start(network)

    part.hand_over(assigned(1, FIRST))
    eventually(lambda: network.applied == [1], timeout_seconds=5)
    for index in range(2, 10):
        part.hand_over(assigned(index, FIRST, SECOND))

    eventually(lambda: network.applied[-1] == 9, timeout_seconds=5)
    assert len(network.applied) <= 3
