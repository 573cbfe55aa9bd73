"""What the links driver does to a node's links and to the entries of its devices."""

from collections.abc import Iterator

import pytest

from agent.core import overlay_plan
from agent.core.overlay_plan import OverlayPlan, RemoteEntry
from agent.drivers import neighbours
from agent.drivers.links import Links
from agent.drivers.neighbours import DeviceEntries
from stackctl.errors import TemporaryFailure
from stackctl.model.assignment import mac_address
from tests import overlay_assignments as given_
from tests.namespaces import TestNamespace, namespaces

pytestmark = pytest.mark.integration

DATA_ADDRESS = "192.168.50.1"
PLAN = overlay_plan.plan_overlay(given_.network(), cluster_id="c1", underlay_mtu=1500)


@pytest.fixture
def node() -> Iterator[TestNamespace]:
    with namespaces(1) as (made,):
        made.ip("link add under type bridge")
        made.ip(f"addr add {DATA_ADDRESS}/24 dev under")
        made.ip("link set under mtu 1400 up")
        yield made


def ensure(node: TestNamespace, plan: OverlayPlan = PLAN, *, port: int = 4789) -> int:
    def make() -> int:
        found = Links()
        found.ensure_bridge(plan)
        index = found.ensure_vxlan(plan, data_address=DATA_ADDRESS, port=port)
        found.ensure_hairpins(plan)
        return index

    return node.run(make)


def entries(count: int, *, node: int = 2) -> tuple[RemoteEntry, ...]:
    return tuple(
        RemoteEntry(
            address=f"10.77.{number // 250}.{number % 250 + 2}",
            mac=mac_address(f"10.77.{number // 250}.{number % 250 + 2}"),
            data_address=f"192.168.50.{node}",
        )
        for number in range(count)
    )


def write(node: TestNamespace, index: int, wanted: tuple[RemoteEntry, ...]) -> DeviceEntries:
    def change() -> DeviceEntries:
        found = neighbours.read_entries(index)
        changes = overlay_plan.entry_changes(
            wanted, neighbours=found.neighbours, forwarding=found.forwarding
        )
        neighbours.write_changes(index, changes)
        return neighbours.read_entries(index)

    return node.run(change)


def test_the_mtu_of_the_underlay_is_that_of_the_link_with_the_data_address(
    node: TestNamespace,
) -> None:
    def mtu(address: str) -> int:
        found = Links()
        return found.underlay_mtu(address)

    assert node.run(lambda: mtu(DATA_ADDRESS)) == 1400
    with pytest.raises(TemporaryFailure, match=r"192\.168\.50\.7"):
        node.run(lambda: mtu("192.168.50.7"))


def test_bridge_and_vxlan_are_made_as_planned(node: TestNamespace) -> None:
    ensure(node)
    bridge = node.ip(f"-d addr show {PLAN.bridge}")
    assert PLAN.bridge_mac in bridge
    assert "10.77.1.1/24" in bridge
    assert "mtu 1450" in bridge
    vxlan = node.ip(f"-d link show {PLAN.vxlan}")
    assert "id 5001 local 192.168.50.1" in vxlan
    assert "dstport 4789 nolearning proxy" in vxlan
    assert f"master {PLAN.bridge}" in vxlan
    assert "mtu 1450" in vxlan


def test_a_second_look_changes_nothing(node: TestNamespace) -> None:
    index = ensure(node)
    before = node.ip("addr show")
    assert ensure(node) == index
    assert node.ip("addr show") == before


@pytest.mark.parametrize(
    "damage",
    [
        f"link del {PLAN.vxlan}",
        f"link del {PLAN.bridge}",
        f"link set {PLAN.vxlan} nomaster",
        f"link set {PLAN.bridge} down",
        f"link set {PLAN.bridge} address 02:00:00:00:00:01",
        f"link set {PLAN.vxlan} mtu 1000",
        f"addr flush dev {PLAN.bridge}",
    ],
)
def test_damage_is_put_right(node: TestNamespace, damage: str) -> None:
    ensure(node)
    node.ip(damage)
    ensure(node)
    assert f"master {PLAN.bridge}" in node.ip(f"link show {PLAN.vxlan}")
    shown = node.ip(f"addr show {PLAN.bridge}")
    assert "10.77.1.1/24" in shown
    assert PLAN.bridge_mac in shown
    assert "UP" in shown
    assert "mtu 1450" in node.ip(f"link show {PLAN.vxlan}")


def test_a_device_with_other_parameters_is_replaced(node: TestNamespace) -> None:
    index = ensure(node)
    assert ensure(node, port=4790) != index
    assert "dstport 4790" in node.ip(f"-d link show {PLAN.vxlan}")


def test_only_links_of_the_cluster_are_listed(node: TestNamespace) -> None:
    ensure(node)
    node.ip("link add sc-foreign type bridge")
    node.ip("link set sc-foreign alias somebody")

    def listed(cluster_id: str) -> list[tuple[str, str]]:
        found = Links()
        return found.marked(cluster_id)

    marked = {(PLAN.bridge, given_.FRONT), (PLAN.vxlan, given_.FRONT)}
    assert set(node.run(lambda: listed("c1"))) == marked
    assert node.run(lambda: listed("c2")) == []


def test_removing_a_link_that_is_gone_is_no_failure(node: TestNamespace) -> None:
    ensure(node)

    def remove() -> None:
        found = Links()
        found.remove_link(PLAN.vxlan)
        found.remove_link(PLAN.vxlan)
        found.remove_link("never-there")

    node.run(remove)
    assert PLAN.vxlan not in node.ip("link")


def test_container_links_hand_frames_back(node: TestNamespace) -> None:
    ensure(node)
    node.ip("link add port type veth peer name other")
    node.ip(f"link set port master {PLAN.bridge}")
    ensure(node)
    assert "hairpin on" in node.ip("-d link show port")
    assert "hairpin off" in node.ip(f"-d link show {PLAN.vxlan}")


def test_entries_follow_what_is_wanted(node: TestNamespace) -> None:
    index = ensure(node)
    first, moved = entries(700), entries(300, node=3)
    for wanted in (first, moved, ()):
        found = write(node, index, wanted)
        assert found.neighbours == {entry.address: entry.mac for entry in wanted}
        assert found.forwarding == {entry.mac: entry.data_address for entry in wanted}


def test_entries_that_somebody_has_removed_come_back(node: TestNamespace) -> None:
    index = ensure(node)
    (entry,) = entries(1)
    write(node, index, (entry,))
    node.ip(f"neigh del {entry.address} dev {PLAN.vxlan}")
    node.command("bridge", "fdb", "del", entry.mac, "dev", PLAN.vxlan, "self")
    found = write(node, index, (entry,))
    assert found.neighbours == {entry.address: entry.mac}
    assert found.forwarding == {entry.mac: entry.data_address}


def test_entries_of_one_device_are_not_anothers(node: TestNamespace) -> None:
    back = overlay_plan.plan_overlay(
        given_.network(given_.BACK), cluster_id="c1", underlay_mtu=1500
    )
    one, other = ensure(node), ensure(node, back)
    write(node, one, entries(3))
    assert write(node, other, entries(1)).neighbours.keys() == {"10.77.0.2"}
    assert len(write(node, one, entries(3)).neighbours) == 3


def test_a_device_that_is_gone_is_a_failure(node: TestNamespace) -> None:
    index = ensure(node)
    node.ip(f"link del {PLAN.vxlan}")
    changes = overlay_plan.EntryChanges(put=entries(2))
    with pytest.raises(TemporaryFailure, match="4 of 4 overlay entries refused"):
        node.run(lambda: neighbours.write_changes(index, changes))
