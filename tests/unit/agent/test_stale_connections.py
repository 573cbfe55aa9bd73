"""Which tracked connections are forgotten when backends go, and when it is worth looking."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import nft_rules, stale_connections
from agent.core.stale_connections import Connection, Offer, Offers
from tests import overlay_assignments as given_

VIP = "10.77.1.100"
KEPT = "10.77.1.11"
WITHDRAWN = "10.77.1.12"
ALIVE = frozenset({KEPT, WITHDRAWN})
BACKEND = given_.backend(1, KEPT)

OFFERS = st.frozensets(
    st.tuples(st.sampled_from(["v1", "v2"]), st.sampled_from(["b1", "b2", "b3"]))
)
BACKENDS = st.frozensets(st.sampled_from(["b1", "b2", "b3"]))


def connection(backend: str, *, answered: bool, **changes: Any) -> Connection:
    known: dict[str, Any] = {
        "protocol": "tcp",
        "address": VIP,
        "port": 8080,
        "backend": backend,
        "answered": answered,
        "mark": nft_rules.INGRESS_MARK,
        "handle": b"",
    }
    return Connection(**(known | changes))


def offers(current: frozenset[Offer]) -> Offers:
    made, _is_due = stale_connections.follow(None, current, alive=())
    return made


OF_VIPS = offers(stale_connections.vip_offers([given_.endpoint(VIP, [BACKEND])]))
OF_PORTS = offers(
    stale_connections.ingress_offers(given_.assignment(ingress=(given_.ingress(8080, [BACKEND]),)))
)


@pytest.mark.parametrize(
    ("backend", "answered", "alive", "is_stale"),
    [
        (KEPT, False, ALIVE, False),
        (KEPT, True, frozenset(), False),
        (WITHDRAWN, True, ALIVE, False),  # finishes what it has begun
        (WITHDRAWN, False, ALIVE, True),  # the next SYN goes to another
        (WITHDRAWN, True, frozenset(), True),  # nobody will ever answer
    ],
)
def test_a_connection_is_stale_when_nobody_will_answer(
    backend: str, answered: bool, alive: frozenset[str], is_stale: bool
) -> None:
    found = connection(backend, answered=answered)
    vips = stale_connections.stale_vips([found], OF_VIPS, alive=alive)
    ports = stale_connections.stale_ingress([found], OF_PORTS, alive=alive)
    assert bool(vips) == bool(ports) == is_stale


def test_connections_that_are_not_ours_are_never_stale() -> None:
    foreign = connection(WITHDRAWN, answered=False, mark=0, address="172.17.0.1")
    assert not stale_connections.stale_vips([foreign], OF_VIPS, alive=())
    assert not stale_connections.stale_ingress([foreign], OF_PORTS, alive=())


def test_the_same_port_of_another_protocol_is_another_port() -> None:
    found = connection(KEPT, answered=False, protocol="udp")
    assert stale_connections.stale_ingress([found], OF_PORTS, alive=ALIVE) == (found,)


def test_the_connections_of_a_service_that_is_gone_are_still_known() -> None:
    gone, is_due = stale_connections.follow(OF_VIPS, frozenset(), alive=())
    found = connection(KEPT, answered=True)
    assert is_due
    assert stale_connections.stale_vips([found], gone, alive=()) == (found,)


def test_containers_here_and_addresses_elsewhere_are_alive() -> None:
    assigned = given_.assignment(neighbours=(given_.neighbour(WITHDRAWN, node=2),))
    assert stale_connections.alive_addresses(assigned, [KEPT]) == ALIVE


def test_looking_is_due_once_for_each_step_of_a_backends_way_out() -> None:
    both = frozenset({("v", KEPT), ("v", WITHDRAWN)})
    one = frozenset({("v", KEPT)})
    steps = [
        (both, ALIVE, True),  # a namespace of which nothing is known
        (both, ALIVE, False),
        (one, ALIVE, True),  # withdrawn
        (one, ALIVE, False),
        (one, frozenset({KEPT}), True),  # no longer alive
        (one, frozenset({KEPT}), False),
        (both, ALIVE, False),  # back again: more choice makes nothing stale
    ]
    followed: Offers | None = None
    for current, alive, is_due in steps:
        followed, found = stale_connections.follow(followed, current, alive=alive)
        assert found == is_due


@given(
    steps=st.lists(st.tuples(OFFERS, BACKENDS), min_size=1, max_size=6),
    pair=st.tuples(st.sampled_from(["v1", "v2"]), st.sampled_from(["b1", "b2", "b3"])),
    answered=st.booleans(),
)
def test_no_connection_becomes_stale_without_looking_being_due(
    steps: list[tuple[frozenset[Offer], frozenset[str]]], pair: Offer, answered: bool
) -> None:
    """A connection that the rules made at some step, and that was not stale then."""
    followed: Offers | None = None
    is_open = False
    for current, alive in steps:
        followed, is_due = stale_connections.follow(followed, current, alive=alive)
        found = connection(pair[1], answered=answered, address=pair[0])
        is_stale = bool(stale_connections.stale_vips([found], followed, alive=alive))
        assert not (is_open and is_stale) or is_due
        is_open = (is_open and not is_stale) or pair in current


def test_a_backend_that_joins_while_a_look_is_under_way_is_not_taken_for_stale() -> None:
    """A look judged by what was offered when it was asked for, and reset connections to backends
    that had joined since."""
    joining = given_.backend(2, "10.77.1.13")
    rules = stale_connections.ingress_offers(
        given_.assignment(ingress=(given_.ingress(8080, [BACKEND, joining]),))
    )
    view = stale_connections.while_changing(OF_PORTS, rules)
    alive = ALIVE | {joining.address}
    established = connection(joining.address, answered=True)
    assert stale_connections.stale_ingress([established], OF_PORTS, alive=ALIVE)
    assert not stale_connections.stale_ingress([established], view, alive=alive)


@given(OFFERS, OFFERS)
def test_while_rules_change_nothing_offered_before_or_after_is_withdrawn(
    before: frozenset[Offer], after: frozenset[Offer]
) -> None:
    known, _is_due = stale_connections.follow(offers(before), frozenset(), alive={"b1", "b2", "b3"})
    view = stale_connections.while_changing(known, after)
    assert after <= view.current
    assert not view.withdrawn & after
    assert view.withdrawn | after >= known.withdrawn
