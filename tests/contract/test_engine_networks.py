"""What the network piece may expect of an engine's bridge networks: the fake's and the engine's."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import docker
import msgspec
import pytest

from agent.drivers.docker_engine import DockerEngine
from agent.drivers.docker_networks import DockerNetworks
from agent.drivers.engine_networks import EngineNetwork, EngineNetworks
from stackctl.errors import PermanentFailure
from tests.engines import EngineForTests
from tests.fakes.bridge_networks import BridgeNetworks
from tests.images import BUSYBOX_IMAGE
from tests.namespaces import NamespaceThread, TestNamespace, thread_inside

pytestmark = pytest.mark.integration

T = TypeVar("T")

WANTED = EngineNetwork(
    name="contract_front",
    network_id="contract-front-id",
    subnet="10.78.1.0/24",
    gateway="10.78.1.3",
    bridge="sc-contract",
    mtu=1400,
    labels={"com.docker.stack.namespace": "contract"},
)


class Place(Protocol):
    """Networks, the namespace of their bridges, and what tests do behind their back."""

    networks: EngineNetworks
    thread: NamespaceThread

    def make_foreign(self, name: str) -> None: ...

    def use(self, name: str) -> Callable[[], None]:
        """A container uses the network until what is returned is called."""


class FakePlace:
    def __init__(self) -> None:
        self.fake = BridgeNetworks()
        self.networks: EngineNetworks = self.fake
        self.thread: NamespaceThread = TestNamespace()

    def make_foreign(self, name: str) -> None:
        self.fake.foreign.add(name)

    def use(self, name: str) -> Callable[[], None]:
        self.fake.in_use.add(name)
        return lambda: self.fake.in_use.discard(name)

    def close(self) -> None:
        self.thread.close()


class EnginePlace:
    def __init__(self, engine: EngineForTests) -> None:
        self._driver = DockerEngine(engine.url)
        self.client = docker.APIClient(engine.url, version="auto")
        self.networks: EngineNetworks = DockerNetworks(self._driver, cluster_id="contract")
        self.thread: NamespaceThread = thread_inside(engine.namespace)

    def make_foreign(self, name: str) -> None:
        self.client.create_network(name)

    def use(self, name: str) -> Callable[[], None]:
        configuration: Any = {"EndpointsConfig": {name: {}}}
        made = self.client.create_container(
            BUSYBOX_IMAGE,
            ["sleep", "600"],
            networking_config=configuration,
            host_config=self.client.create_host_config(network_mode=name),
        )["Id"]
        self.client.start(made)
        return lambda: self.client.remove_container(made, force=True)

    def close(self) -> None:
        for found in self.client.networks():
            if found["Name"].startswith("contract_"):
                self.client.remove_network(found["Id"])
        self.client.close()
        self._driver.close()
        self.thread.close()


@pytest.fixture(params=["fake", "engine"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made: FakePlace | EnginePlace
    if request.param == "fake":
        made = FakePlace()
    else:
        made = EnginePlace(request.getfixturevalue("engine"))
    yield made
    made.close()


def listed(place: Place) -> list[EngineNetwork]:
    found = place.thread.run(place.networks.list_networks)
    return [msgspec.structs.replace(network, labels={}) for network in found]


def create(place: Place, wanted: EngineNetwork = WANTED) -> None:
    place.thread.run(lambda: place.networks.create_network(wanted))


def remove(place: Place, name: str = WANTED.name) -> bool:
    return place.thread.run(lambda: place.networks.remove_network(name))


def test_a_network_is_made_and_listed_as_wanted(place: Place) -> None:
    create(place)
    assert listed(place) == [msgspec.structs.replace(WANTED, labels={})]
    assert "10.78.1.3/24" in place.thread.ip("addr show sc-contract")


def test_making_it_again_changes_nothing(place: Place) -> None:
    create(place)
    before = place.thread.ip("link show sc-contract")
    create(place)
    assert len(listed(place)) == 1
    assert place.thread.ip("link show sc-contract") == before


def test_an_internal_network_is_listed_as_one(place: Place) -> None:
    create(place, msgspec.structs.replace(WANTED, internal=True))
    (found,) = listed(place)
    assert found.internal


def test_somebody_elses_network_is_neither_taken_nor_listed_nor_removed(place: Place) -> None:
    place.make_foreign("contract_foreign")
    foreign = msgspec.structs.replace(WANTED, name="contract_foreign")
    with pytest.raises(PermanentFailure, match="contract_foreign"):
        create(place, foreign)
    assert listed(place) == []
    assert remove(place, "contract_foreign")
    with pytest.raises(PermanentFailure, match="contract_foreign"):
        create(place, foreign)


def test_a_removed_network_is_gone_with_its_bridge(place: Place) -> None:
    create(place)
    assert remove(place)
    assert listed(place) == []
    assert "sc-contract" not in place.thread.ip("link")
    assert remove(place)


def test_a_network_in_use_stays_until_it_is_not(place: Place) -> None:
    create(place)
    end_use = place.use(WANTED.name)
    assert not remove(place)
    assert len(listed(place)) == 1
    end_use()
    assert remove(place)
