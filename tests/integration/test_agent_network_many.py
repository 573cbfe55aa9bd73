"""Containers on several networks: the way of an answer, the names, what is out of reach."""

from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import pytest

from tests import overlay_assignments as given_
from tests.namespaces import ask_tcp
from tests.overlay_assignments import BACK, FRONT
from tests.overlay_cluster import OUTSIDE, PORT, Container, OverlayCluster

pytestmark = pytest.mark.integration

FRONT_VIP = "10.77.1.200"
BACK_VIP = "10.77.2.200"
PUBLISHED = 8080


@pytest.fixture(scope="module")
def shop() -> Iterator[OverlayCluster]:
    """`web` is on both networks (on node 1, its way out is the second), `db` on the second (on
    node 2), a client on the first (on node 2)."""
    with OverlayCluster(2, networks=(FRONT, BACK)) as cluster:
        web = cluster.add_container(1, node=1)
        database = cluster.add_container(1, node=2, name="shop_db", network_id=BACK)
        cluster.add_container(1, node=2, name="shop_client")
        # A strict check of the way back, as some distributions set it.
        cluster.nodes[1].namespace.write_setting("ipv4/conf/all/rp_filter", "1")
        cluster.attach_also(web, BACK)
        cluster.endpoints = (
            given_.endpoint(FRONT_VIP, [web.backend]),
            given_.endpoint(
                BACK_VIP, [database.backend], name="shop_db", aliases=["db"], network_id=BACK
            ),
        )
        cluster.ingress = (given_.ingress(PUBLISHED, [web.backend]),)
        cluster.apply()
        yield cluster


@pytest.fixture
def web(shop: OverlayCluster) -> Container:
    return shop.containers["shop_web-1"]


@pytest.fixture
def client(shop: OverlayCluster) -> Container:
    return shop.containers["shop_client-1"]


def look_up(container: Container, server: str, name: str) -> str:
    query = dns.message.make_query(name, "A")
    answer = container.namespace.run(lambda: dns.query.udp(query, server, timeout=3))
    return str(answer.answer[0][0]) if answer.answer else dns.rcode.to_text(answer.rcode())


def test_an_answer_may_leave_by_another_network_than_the_question_came(
    shop: OverlayCluster, web: Container
) -> None:
    seen = shop.outside.run(lambda: ask_tcp(shop.nodes[1].address, PUBLISHED))
    assert seen == (web.task_id, OUTSIDE)


def test_a_container_reaches_the_vips_of_all_its_networks(web: Container) -> None:
    reached = web.namespace.run(lambda: ask_tcp(BACK_VIP, PORT))
    assert reached == ("shop_db-1", web.also[BACK])
    assert web.namespace.run(lambda: ask_tcp(FRONT_VIP, PORT))[0] == web.task_id


def test_every_server_of_a_container_knows_the_names_of_all_its_networks(
    shop: OverlayCluster, web: Container
) -> None:
    for server in shop.nodes[1].network.dns_servers([FRONT, BACK]):
        assert look_up(web, server, "web") == FRONT_VIP
        assert look_up(web, server, "db") == BACK_VIP


def test_names_of_other_networks_do_not_exist(client: Container) -> None:
    assert look_up(client, "10.77.1.2", "web") == FRONT_VIP
    assert look_up(client, "10.77.1.2", "db") == "NXDOMAIN"
