"""Which tracked connections are forgotten when backends go."""

import pytest

from agent.core import nft_rules, stale_connections
from agent.core.stale_connections import Connection
from tests import overlay_assignments as given_

KEPT = given_.backend(1, "10.77.1.11")
WITHDRAWN = "10.77.1.12"
ALIVE = {"10.77.1.11", WITHDRAWN}


def connection(backend: str, *, answered: bool, **changes: object) -> Connection:
    known: dict[str, object] = {
        "protocol": "tcp",
        "address": "10.77.1.100",
        "port": 8080,
        "backend": backend,
        "answered": answered,
        "mark": nft_rules.INGRESS_MARK,
        "handle": b"",
    }
    return Connection(**(known | changes))  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("backend", "answered", "alive", "is_stale"),
    [
        (KEPT.address, False, ALIVE, False),
        (KEPT.address, True, set(), False),
        (WITHDRAWN, True, ALIVE, False),  # finishes what it has begun
        (WITHDRAWN, False, ALIVE, True),  # the next SYN goes to another
        (WITHDRAWN, True, set(), True),  # nobody will ever answer
    ],
)
def test_a_connection_is_stale_when_nobody_will_answer(
    backend: str, answered: bool, alive: set[str], is_stale: bool
) -> None:
    found = connection(backend, answered=answered)
    vips = stale_connections.stale_vips(
        [found], [given_.endpoint("10.77.1.100", [KEPT])], alive=alive
    )
    ports = stale_connections.stale_ingress(
        [found], given_.assignment(ingress=(given_.ingress(8080, [KEPT]),)), alive=alive
    )
    assert bool(vips) == bool(ports) == is_stale


def test_connections_that_are_not_ours_are_never_stale() -> None:
    foreign = connection(WITHDRAWN, answered=False, mark=0, address="172.17.0.1")
    endpoints = [given_.endpoint("10.77.1.100", [KEPT]), given_.endpoint("", [KEPT])]
    assert not stale_connections.stale_vips([foreign], endpoints, alive=())
    assert not stale_connections.stale_ingress([foreign], given_.assignment(), alive=())


def test_the_same_port_of_another_protocol_is_another_port() -> None:
    assigned = given_.assignment(ingress=(given_.ingress(8080, [KEPT], protocol="udp"),))
    found = connection(KEPT.address, answered=False)
    assert stale_connections.stale_ingress([found], assigned, alive=ALIVE) == (found,)


def test_containers_here_and_addresses_elsewhere_are_alive() -> None:
    assigned = given_.assignment(neighbours=(given_.neighbour("10.77.1.12", node=2),))
    alive = stale_connections.alive_addresses(assigned, ["10.77.1.11"])
    assert alive == {"10.77.1.11", "10.77.1.12"}
