"""The overlay's plan: names, derived values, and differences of entries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import overlay_plan
from agent.core.overlay_plan import RemoteEntry
from stackctl.errors import PermanentFailure
from tests import overlay_assignments as given_

ADDRESSES = st.integers(2, 254).map(lambda last: f"10.77.1.{last}")
DATA_ADDRESSES = st.integers(1, 9).map(lambda last: f"192.168.50.{last}")


def plan(**changes: Any) -> overlay_plan.OverlayPlan:
    return overlay_plan.plan_overlay(given_.network(**changes), cluster_id="c1", underlay_mtu=1500)


def test_links_of_a_network_have_names_that_the_kernel_takes() -> None:
    assert plan().bridge == "sc-front0networ"
    assert plan().vxlan == "scx-front0netwo"
    assert len(plan().bridge) <= overlay_plan.LINK_NAME_MAX


def test_the_bridge_bears_the_gateway_and_the_mac_that_others_derive_from_it() -> None:
    assert (plan().gateway, plan().prefix_length) == ("10.77.1.1", 24)
    assert plan().bridge_mac == "02:42:0a:4d:01:01"


def test_the_overlay_leaves_room_for_its_own_header() -> None:
    assert plan().mtu == 1450


def test_a_stated_mtu_is_obeyed_when_it_fits() -> None:
    option = {"com.docker.network.driver.mtu": "1400"}
    assert plan(driver_options=option).mtu == 1400


@pytest.mark.parametrize("mtu", ["1500", "100", "many"])
def test_a_stated_mtu_that_cannot_work_is_refused(mtu: str) -> None:
    with pytest.raises(PermanentFailure, match="shop_front"):
        plan(driver_options={"com.docker.network.driver.mtu": mtu})


@pytest.mark.parametrize("option", ["", "true", "1"])
def test_a_network_that_asks_for_encryption_is_never_carried_in_clear(option: str) -> None:
    with pytest.raises(PermanentFailure, match="encryption"):
        plan(driver_options={"encrypted": option})


def test_encryption_that_is_switched_off_is_no_wish() -> None:
    assert plan(driver_options={"encrypted": "false"}).vni == 5001


def test_only_links_with_the_mark_of_the_cluster_are_ours() -> None:
    mark = overlay_plan.link_mark("c1", "network1")
    assert overlay_plan.marked_network(mark, "c1") == "network1"
    assert overlay_plan.marked_network(mark, "c2") is None
    assert overlay_plan.marked_network("uplink to c1", "c1") is None
    assert overlay_plan.marked_network("", "c1") is None


def test_addresses_of_this_node_need_no_entries() -> None:
    assigned = given_.assignment(
        neighbours=(given_.neighbour("10.77.1.11", node=1), given_.neighbour("10.77.1.12", node=2))
    )
    entries = overlay_plan.remote_entries(assigned, data_address="192.168.50.1")
    assert entries == {
        given_.FRONT: (
            RemoteEntry(address="10.77.1.12", mac="02:42:0a:4d:01:0c", data_address="192.168.50.2"),
        )
    }


@given(
    wanted=st.dictionaries(ADDRESSES, DATA_ADDRESSES),
    neighbours=st.dictionaries(ADDRESSES, st.sampled_from(["wrong", "right"])),
    forwarding=st.dictionaries(ADDRESSES, DATA_ADDRESSES),
)
def test_applying_the_changes_gives_exactly_the_wanted_entries(
    wanted: dict[str, str], neighbours: dict[str, str], forwarding: dict[str, str]
) -> None:
    def mac(address: str) -> str:
        return f"mac of {address}"

    entries = [
        RemoteEntry(address=address, mac=mac(address), data_address=data_address)
        for address, data_address in wanted.items()
    ]
    known_neighbours = {
        address: mac(address) if state == "right" else "another"
        for address, state in neighbours.items()
    }
    known_forwarding = {mac(address): target for address, target in forwarding.items()}
    changes = overlay_plan.entry_changes(
        entries, neighbours=known_neighbours, forwarding=known_forwarding
    )
    for address in changes.drop_neighbours:
        del known_neighbours[address]
    for dropped in changes.drop_forwarding:
        del known_forwarding[dropped]
    for entry in changes.put:
        known_neighbours[entry.address] = entry.mac
        known_forwarding[entry.mac] = entry.data_address
    assert known_neighbours == {address: mac(address) for address in wanted}
    assert known_forwarding == {mac(address): target for address, target in wanted.items()}
    again = overlay_plan.entry_changes(
        entries, neighbours=known_neighbours, forwarding=known_forwarding
    )
    assert again == overlay_plan.EntryChanges()
