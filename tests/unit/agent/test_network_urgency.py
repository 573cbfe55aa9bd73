"""What may wait for company, and what must not, when the network of a node changes."""

from typing import Any

import pytest
from msgspec.structs import replace

from agent.core.network_urgency import can_wait
from stackctl.model.assignment import AssignmentSet, Neighbour, TaskAssignment
from tests.overlay_assignments import BACK, FRONT, SPEC, backend, endpoint, ingress, network

ONE = backend(1, "10.77.1.11")
TWO = backend(2, "10.77.1.12", node=2)
VIP = "10.77.1.200"


def task(**changes: Any) -> TaskAssignment:
    known: dict[str, Any] = {
        "id": "t1",
        "name": "shop_web.1",
        "service_id": "id-of-shop_web",
        "service_name": "shop_web",
        "slot": 1,
        "revision": 1,
        "stack_name": "shop",
        "spec": SPEC,
        "addresses": {FRONT: "10.77.1.11"},
    }
    return TaskAssignment(**(known | changes))


NEIGHBOUR = Neighbour(network_id=FRONT, address="10.77.1.12", data_address="192.168.50.2")
SET = AssignmentSet(
    node_id="n1",
    term=1,
    index=7,
    tasks=(task(),),
    networks=(network(),),
    neighbours=(NEIGHBOUR,),
    endpoints=(endpoint(VIP, [ONE]),),
    ingress=(ingress(8080, [ONE]),),
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"index": 8},
        {"tasks": (task(may_stop=True),)},
        {"endpoints": (endpoint(VIP, [ONE, TWO]),)},
        {"ingress": (ingress(8080, [ONE, TWO]),)},
    ],
)
def test_more_of_what_is_there_already_can_wait(changes: dict[str, Any]) -> None:
    assert can_wait(SET, replace(SET, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoints": (endpoint(VIP, []),)},
        {"endpoints": (endpoint(VIP, [TWO]),)},
        {"endpoints": ()},
        {"endpoints": (endpoint("10.77.1.201", [ONE]),)},
        {"endpoints": (endpoint(VIP, [ONE], aliases=("shop",)),)},
        {"ingress": (ingress(8080, []),)},
        {"ingress": (ingress(8081, [ONE]),)},
        {"ingress": ()},
        {"neighbours": ()},
        {"networks": (network(), network(BACK))},
        {"tasks": ()},
        {"tasks": (task(), task(id="t2"))},
        {"tasks": (task(addresses={FRONT: "10.77.1.13"}),)},
    ],
)
def test_what_leaves_or_is_new_is_urgent(changes: dict[str, Any]) -> None:
    assert not can_wait(SET, replace(SET, **changes))


def test_the_first_backend_of_a_service_is_urgent() -> None:
    without = replace(SET, endpoints=(endpoint(VIP, []),), ingress=(ingress(8080, []),))

    assert not can_wait(without, replace(without, endpoints=(endpoint(VIP, [ONE]),)))
    assert not can_wait(without, replace(without, ingress=(ingress(8080, [ONE]),)))
    assert can_wait(without, replace(without, index=8))
