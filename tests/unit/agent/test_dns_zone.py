"""What is answered to whom: the zone's names, views, and answers that must be held."""

from collections.abc import Sequence

import dns.message
import dns.rcode
import dns.reversename
import msgspec
import pytest

from agent.core import dns_message, dns_zone
from agent.core.dns_zone import Client, Forward, Hold, Reply
from tests import overlay_assignments as given_
from tests.overlay_assignments import BACK, FRONT

WEB = [given_.backend(1, "10.77.1.11"), given_.backend(2, "10.77.1.12", node=2)]
DATABASE = [given_.backend(1, "10.77.2.11", name="shop_db")]
ZONE = dns_zone.build_zone(
    given_.assignment(
        networks=(given_.network(), given_.network(BACK)),
        endpoints=(
            given_.endpoint("10.77.1.100", WEB),
            given_.endpoint("10.77.1.101", name="shop_down", aliases=["down"]),
            given_.endpoint("", WEB, name="shop_rr", aliases=["rr"]),
            given_.endpoint(
                "10.77.2.100", DATABASE, name="shop_db", aliases=["db"], network_id=BACK
            ),
        ),
    )
)
TASK = Client(networks=(FRONT,), has_rules=True)
TASK_ON_BOTH = Client(networks=(FRONT, BACK), has_rules=True)
TASK_WITHOUT_RULES = Client(networks=(FRONT,), has_rules=False)
STRANGER = Client(networks=(FRONT,), has_rules=False, is_task=False)


def resolve(
    name: str, client: Client = TASK, kind: str = "A", zone: dns_zone.Zone = ZONE
) -> dns_zone.Resolution:
    query = dns_message.parse_query(dns.message.make_query(name, kind).to_wire())
    assert query is not None
    return dns_zone.resolve(zone, client, query, size_max=512)


def records(message: bytes) -> list[str]:
    answer = dns.message.from_wire(message)
    assert answer.rcode() == dns.rcode.NOERROR
    return sorted(record.to_text() for rrset in answer.answer for record in rrset)


def addresses(name: str, client: Client = TASK, zone: dns_zone.Zone = ZONE) -> Sequence[str]:
    found = resolve(name, client, zone=zone)
    assert isinstance(found, Reply), found
    return records(found.message)


@pytest.mark.parametrize("name", ["web", "WEB", "shop_web", "web.shop_front", "web."])
def test_a_service_answers_with_its_vip(name: str) -> None:
    assert addresses(name) == ["10.77.1.100"]


@pytest.mark.parametrize("name", ["tasks.web", "tasks.shop_web", "rr", "tasks.rr"])
def test_tasks_and_dnsrr_answer_with_all_backends(name: str) -> None:
    assert addresses(name) == ["10.77.1.11", "10.77.1.12"]


@pytest.mark.parametrize(
    "name", ["2.web", "2.shop_web", "shop_web.2", "shop_web.2.shop_web-2", "2.web.shop_front"]
)
def test_one_task_has_names_of_its_own(name: str) -> None:
    assert addresses(name) == ["10.77.1.12"]


def test_a_service_without_backends_keeps_its_vip_and_has_no_tasks() -> None:
    assert addresses("down") == ["10.77.1.101"]
    assert addresses("tasks.down") == []


def test_a_client_sees_the_networks_it_is_attached_to_and_no_others() -> None:
    assert addresses("db", TASK_ON_BOTH) == ["10.77.2.100"]
    assert isinstance(resolve("db", TASK), Forward)


def test_a_name_of_two_networks_is_answered_from_the_first_of_the_clients() -> None:
    zone = dns_zone.build_zone(
        given_.assignment(
            networks=(given_.network(), given_.network(BACK)),
            endpoints=(
                given_.endpoint("10.77.1.100"),
                given_.endpoint("10.77.2.100", network_id=BACK),
            ),
        )
    )
    other_order = Client(networks=(BACK, FRONT), has_rules=True)
    assert addresses("web", TASK_ON_BOTH, zone) == ["10.77.1.100"]
    assert addresses("web", other_order, zone) == ["10.77.2.100"]
    assert addresses("web.shop_front", other_order, zone) == ["10.77.1.100"]


def test_services_that_share_an_alias_share_its_answer() -> None:
    zone = dns_zone.build_zone(
        given_.assignment(
            networks=(given_.network(),),
            endpoints=(
                given_.endpoint("10.77.1.100", name="shop_a", aliases=["api"]),
                given_.endpoint("10.77.1.101", name="shop_b", aliases=["api"]),
            ),
        )
    )
    assert addresses("api", TASK, zone) == ["10.77.1.100", "10.77.1.101"]


def test_a_host_name_does_not_take_a_services_name() -> None:
    intruder = msgspec.structs.replace(given_.backend(1, "10.77.1.50"), hostname="web")
    alone = msgspec.structs.replace(given_.backend(2, "10.77.1.51"), hostname="alone")
    zone = dns_zone.build_zone(
        given_.assignment(
            networks=(given_.network(),),
            endpoints=(
                given_.endpoint("10.77.1.100", WEB),
                given_.endpoint("10.77.1.102", [intruder, alone], name="shop_other", aliases=[]),
            ),
        )
    )
    assert addresses("web", TASK, zone) == ["10.77.1.100"]
    assert addresses("alone", TASK, zone) == ["10.77.1.51"]


def test_other_kinds_are_answered_empty_for_names_that_exist() -> None:
    for kind in ("AAAA", "TXT", "HTTPS"):
        found = resolve("web", TASK_WITHOUT_RULES, kind)
        assert isinstance(found, Reply)
        assert records(found.message) == []


def test_a_vip_is_held_back_from_a_task_that_has_no_rules_yet() -> None:
    found = resolve("web", TASK_WITHOUT_RULES)
    assert isinstance(found, Hold)
    assert records(found.otherwise) == ["10.77.1.11", "10.77.1.12"]
    assert addresses("tasks.web", TASK_WITHOUT_RULES) == ["10.77.1.11", "10.77.1.12"]


def test_a_stranger_gets_addresses_that_work_without_rules() -> None:
    assert addresses("web", STRANGER) == ["10.77.1.11", "10.77.1.12"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.77.1.100", "shop_web.shop_front."),
        ("10.77.1.12", "shop_web.2.shop_web-2.shop_front."),
    ],
)
def test_addresses_of_vips_and_tasks_have_names(address: str, name: str) -> None:
    found = resolve(dns.reversename.from_address(address).to_text(), TASK, "PTR")
    assert isinstance(found, Reply)
    assert records(found.message) == [name]


def test_other_addresses_of_our_subnets_have_none() -> None:
    found = resolve(dns.reversename.from_address("10.77.1.77").to_text(), TASK, "PTR")
    assert isinstance(found, Reply)
    assert dns.message.from_wire(found.message).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "name", ["1.1.168.192.in-addr.arpa.", "in-addr.arpa.", "x.y.z.10.in-addr.arpa."]
)
def test_foreign_reverse_names_are_forwarded(name: str) -> None:
    assert isinstance(resolve(name, TASK, "PTR"), Forward)


def test_a_foreign_name_goes_to_the_servers_that_the_service_wants() -> None:
    found = resolve("example.com", Client(networks=(FRONT,), has_rules=True, servers=("9.9.9.9",)))
    assert isinstance(found, Forward)
    assert found.servers == ("9.9.9.9",)


@pytest.mark.parametrize(
    ("name", "code"), [("nobody", dns.rcode.NXDOMAIN), ("example.com", dns.rcode.SERVFAIL)]
)
def test_without_any_server_a_bare_word_does_not_exist_and_others_fail(
    name: str, code: int
) -> None:
    found = resolve(name)
    assert isinstance(found, Forward)
    assert dns.message.from_wire(found.fallback).rcode() == code


@pytest.mark.parametrize("client", [TASK, STRANGER, TASK_ON_BOTH])
def test_a_question_of_a_network_that_is_not_known_yet_is_held_not_denied(client: Client) -> None:
    known = {network: view for network, view in ZONE.items() if network != FRONT}
    found = resolve("web", client, zone=known)
    assert isinstance(found, Hold)
    assert dns.message.from_wire(found.otherwise).rcode() == dns.rcode.SERVFAIL


def test_clients_are_known_by_every_address_of_theirs() -> None:
    task = given_.task("t1", {FRONT: "10.77.1.11", BACK: "10.77.2.11"})
    assignment = given_.assignment(tasks=(task,))
    without = dns_zone.clients_of(assignment, with_rules=())
    assert set(without) == {"10.77.1.11", "10.77.2.11"}
    assert {client.networks for client in without.values()} == {(FRONT, BACK)}
    assert not any(client.has_rules for client in without.values())
    assert all(c.has_rules for c in dns_zone.clients_of(assignment, with_rules=None).values())
