"""Three real managers on loopback addresses with scripted agents: joining, losing, freezing."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackctl.model import specs
from tests.eventually import eventually
from tests.manager_process import ManagerProcess
from tests.scripted_agent import ScriptedAgent

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]


class Trio:
    """Three managers, and an agent for each of their nodes."""

    def __init__(self, folder: Path) -> None:
        self.managers = [ManagerProcess(folder / name, name) for name in ("m1", "m2", "m3")]
        self.agents: list[ScriptedAgent] = []

    def start(self) -> "Trio":
        first, *others = self.managers
        first.start("--bootstrap").wait_until_it_answers()
        token = first.ask("GET", "/v1/cluster")["manager_join_token"]
        for manager in others:
            manager.start("--join-token", token, "--join", first.api_address)
        for manager in others:
            manager.wait_until_it_answers()
        eventually(
            lambda: len(first.ask("GET", "/v1/cluster")["managers"]) == 3, timeout_seconds=20
        )
        return self

    def stop(self) -> None:
        for agent in self.agents:
            agent.stop()
        for manager in self.managers:
            manager.stop()

    def connect_agent(self, number: int, *, through: list[int]) -> ScriptedAgent:
        """The agent of the node of that manager, connected to the given ones."""
        own = self.managers[number]
        agent = ScriptedAgent(
            node_id=own.node_id,
            hostname=own.hostname,
            endpoints=[self.managers[key].api_address for key in through],
            identity_dir=own.identity_dir,
        ).start()
        self.agents.append(agent)
        return agent

    def leader_number(self) -> int:
        """Which manager leads, as all living ones agree."""

        def agreed() -> list[int]:
            seen = {
                manager.ask("GET", "/v1/cluster")["leader"]
                for manager in self.managers
                if manager.process is not None and manager.process.poll() is None
            }
            assert len(seen) == 1, seen
            return [key for key, manager in enumerate(self.managers) if manager.hostname in seen]

        return eventually(agreed, timeout_seconds=10)[0]

    def follower_numbers(self) -> list[int]:
        leader = self.leader_number()
        return [key for key in range(3) if key != leader]


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    three = Trio(tmp_path)
    try:
        yield three.start()
    finally:
        three.stop()


def stack(*, replicas: int) -> specs.StackSpec:
    task = specs.TaskSpec(
        container=specs.ContainerSpec(image="busybox"),
        networks=(specs.NetworkAttachment(network="shop_default"),),
    )
    return specs.StackSpec(
        name="shop",
        services=(specs.ServiceSpec(name="shop_web", task=task, replicas=replicas),),
        networks=(specs.NetworkSpec(name="shop_default"),),
    )


def nodes(manager: ManagerProcess) -> dict[str, dict[str, Any]]:
    return {node["hostname"]: node for node in manager.ask("GET", "/v1/nodes")}


def states(manager: ManagerProcess) -> dict[str, str]:
    return {name: node["state"] for name, node in nodes(manager).items()}


def running(manager: ManagerProcess) -> int:
    tasks = manager.ask("GET", "/v1/tasks")
    return sum(
        1
        for task in tasks
        if task["state"] == "running" and task["is_current"] and task["node_state"] == "ready"
    )


def test_agents_are_served_by_any_manager_and_writes_go_to_any(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    for number, through in ((0, one), (1, two), (2, leader)):
        trio.connect_agent(number, through=[through])
    ready = dict.fromkeys(("m1", "m2", "m3"), "ready")
    eventually(lambda: states(trio.managers[one]) == ready, timeout_seconds=10)
    trio.managers[two].ask("PUT", "/v1/stacks/shop", stack(replicas=6))
    eventually(lambda: running(trio.managers[one]) == 6, timeout_seconds=10)
    assert [len(agent.running()) for agent in trio.agents] == [2, 2, 2]
    # Nobody is declared down while only followers hear of some nodes.
    with pytest.raises(AssertionError):
        eventually(lambda: "down" in states(trio.managers[0]).values(), timeout_seconds=5)
    trio.managers[one].ask("POST", "/v1/services/shop_web/scale", {"replicas": 3})
    started = time.monotonic()
    eventually(
        lambda: (
            sum(len(agent.tasks()) for agent in trio.agents) == 3
            or running(trio.managers[two]) == 3
        ),
        timeout_seconds=10,
    )
    assert time.monotonic() - started < 4.5, "released by acknowledgements, not by the timeout"
    status = {name: node["manager_status"] for name, node in nodes(trio.managers[one]).items()}
    assert sorted(status.values()) == ["leader", "reachable", "reachable"]


def test_the_loss_of_the_leader_is_healed(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    for number in (one, two, leader):
        trio.connect_agent(number, through=[leader, one, two])
    survivor = trio.managers[one]
    eventually(lambda: set(states(survivor).values()) == {"ready"}, timeout_seconds=10)
    survivor.ask("PUT", "/v1/stacks/shop", stack(replicas=6))
    eventually(lambda: running(survivor) == 6, timeout_seconds=10)
    trio.agents[2].stop()
    trio.managers[leader].kill()
    survivor.ask("POST", "/v1/services/shop_web/scale", {"replicas": 7})
    eventually(lambda: running(survivor) == 7, timeout_seconds=12)
    seen = states(survivor)
    assert seen.pop(trio.managers[leader].hostname) == "down"
    assert set(seen.values()) == {"ready"}
    trio.managers[leader].start().wait_until_it_answers()
    eventually(
        lambda: (
            trio.managers[leader].ask("GET", "/v1/services/shop_web")["service"]["desired"] == 7
        ),
        timeout_seconds=10,
    )


def test_a_frozen_leader_loses_its_office_and_judges_nobody_when_it_wakes(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    for number in (0, 1, 2):
        trio.connect_agent(number, through=[one, two])
    survivor = trio.managers[one]
    eventually(lambda: set(states(survivor).values()) == {"ready"}, timeout_seconds=10)
    trio.managers[leader].signal(signal.SIGSTOP)
    started = time.monotonic()
    survivor.ask("PUT", "/v1/stacks/shop", stack(replicas=3))
    assert time.monotonic() - started < 5
    eventually(lambda: running(survivor) == 3, timeout_seconds=10)
    trio.managers[leader].signal(signal.SIGCONT)
    eventually(
        lambda: (
            trio.managers[leader].ask("GET", "/v1/services/shop_web")["service"]["running"] == 3
        ),
        timeout_seconds=10,
    )
    assert set(states(survivor).values()) == {"ready"}


def test_the_loss_of_a_follower_loses_no_node_that_hangs_on_it(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    agent = trio.connect_agent(leader, through=[one, two])
    manager = trio.managers[leader]
    name = manager.hostname
    eventually(lambda: states(manager)[name] == "ready", timeout_seconds=10)
    trio.managers[one].kill()
    eventually(lambda: agent.connections == 2, timeout_seconds=5)
    with pytest.raises(AssertionError):
        eventually(lambda: states(manager)[name] == "down", timeout_seconds=5)
    assert nodes(manager)[name]["state"] == "ready"


def test_output_is_fetched_through_the_manager_that_has_the_agent(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    agent = trio.connect_agent(leader, through=[one])
    asked = trio.managers[two]
    asked.ask("PUT", "/v1/stacks/shop", stack(replicas=1))
    eventually(lambda: running(asked) == 1, timeout_seconds=10)
    task = agent.tasks()[0]
    agent.output[task.id] = [b"from afar"]
    lines = asked.ask("GET", "/v1/services/shop_web/logs?tail=10")
    assert [(line["task"], line["text"]) for line in lines] == [("shop_web.1", "from afar")]


def test_agents_hear_when_there_is_no_leader(trio: Trio) -> None:
    leader, (one, two) = trio.leader_number(), trio.follower_numbers()
    agent = trio.connect_agent(one, through=[one])
    eventually(lambda: agent.has_leader, timeout_seconds=5)
    for number in (leader, two):
        trio.managers[number].kill()
    eventually(lambda: not agent.has_leader, timeout_seconds=5)
    status, error = trio.managers[one].try_to_ask("GET", "/v1/services")
    assert (status, error["kind"], error["exit_code"]) == (503, "unavailable", 3)
    assert "leader" not in trio.managers[one].ask("GET", "/v1/cluster", timeout=2)
