"""Rulesets compared with texts that a person can read.

After a wanted change: `REWRITE_GOLDEN=1 pytest tests/unit/agent/test_nft_rules.py`, and review the
difference of `tests/golden/nft`.
"""

import os
from pathlib import Path

from agent.core import nft_rules
from tests import overlay_assignments as given_

GOLDEN = Path(__file__).parents[2] / "golden" / "nft"

LOCAL = given_.backend(1, "10.77.1.11")
REMOTE = given_.backend(2, "10.77.1.12", node=2)
OTHER = given_.backend(1, "10.77.2.11", node=2, name="shop_dns")


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.nft"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_ingress_of_several_ports() -> None:
    assigned = given_.assignment(
        networks=(given_.network(), given_.network(given_.BACK)),
        ingress=(
            given_.ingress(8080, [LOCAL, REMOTE]),
            given_.ingress(53, [OTHER], target=5353, protocol="udp", network_id=given_.BACK),
            given_.ingress(9090, [], name="shop_down"),
            given_.ingress(9090, [], name="shop_down", protocol="udp"),
        ),
    )
    check_golden("ingress", nft_rules.render_ingress(assigned))


def test_published_connections_are_forgotten_soon_after_their_end() -> None:
    check_golden("ends", nft_rules.render_ends())


def test_ingress_without_networks_and_ports() -> None:
    check_golden("ingress-nothing", nft_rules.render_ingress(given_.assignment()))


def test_ingress_with_only_local_backends_keeps_the_clients_address() -> None:
    assigned = given_.assignment(
        networks=(given_.network(),), ingress=(given_.ingress(8080, [LOCAL]),)
    )
    text = nft_rules.render_ingress(assigned)
    check_golden("ingress-local", text)
    assert "ip daddr { 10.77.1.11 } masquerade" not in text


def test_a_port_of_an_internal_network_is_refused() -> None:
    assigned = given_.assignment(
        networks=(given_.network(internal=True),), ingress=(given_.ingress(8080, [LOCAL]),)
    )
    check_golden("ingress-internal", nft_rules.render_ingress(assigned))


def test_a_port_of_a_network_that_is_not_here_is_refused() -> None:
    text = nft_rules.render_ingress(given_.assignment(ingress=(given_.ingress(8080, [LOCAL]),)))
    assert "dnat" not in text
    assert "tcp . 8080" in text


def test_the_order_of_the_assignment_does_not_matter() -> None:
    ports = (given_.ingress(8080, [LOCAL, REMOTE]), given_.ingress(80, [REMOTE, LOCAL]))
    one = given_.assignment(networks=(given_.network(),), ingress=ports)
    other = given_.assignment(networks=(given_.network(),), ingress=ports[::-1])
    assert nft_rules.render_ingress(one) == nft_rules.render_ingress(other)


def test_vips_of_several_services() -> None:
    endpoints = [
        given_.endpoint("10.77.1.100", [LOCAL, REMOTE]),
        given_.endpoint("10.77.1.20", [LOCAL], name="shop_one"),
        given_.endpoint("10.77.1.101", name="shop_down"),
        given_.endpoint("", [LOCAL], name="shop_dnsrr"),
    ]
    check_golden("vips", nft_rules.render_vips(endpoints))


def test_vips_of_no_service() -> None:
    check_golden("vips-nothing", nft_rules.render_vips([]))


def test_a_name_cannot_break_out_of_its_comment() -> None:
    strange = given_.endpoint("10.77.1.100", [LOCAL], name='a"\nflush ruleset # “')
    text = nft_rules.render_vips([strange])
    assert 'dnat to 10.77.1.11 comment "a__flush_ruleset____"\n' in text
