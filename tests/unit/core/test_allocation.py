"""Addresses, subnets, VNIs and ports: none twice, next-fit, free when known to be, explained."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stackctl.core.allocation import subnets
from stackctl.core.allocation.addresses import AddressPool
from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

PORT = specs.PortSpec(target=80)


def _network(bench: Bench, name: str = NETWORK) -> objects.Network:
    return bench.state.networks[bench.state.network_ids[name]]


def _small(bench: Bench, *services: specs.ServiceSpec, subnet: str = "10.7.0.0/29") -> None:
    """Deploys on a network of six addresses."""
    spec = stack_spec(*services)
    networks = tuple(replace(network, subnet=subnet) for network in spec.networks)
    assert bench.put(replace(spec, networks=networks)).error is None


@settings(max_examples=60, deadline=None)
@given(
    prefix=st.integers(25, 29),
    start=st.integers(0, 200),
    used=st.sets(st.integers(1, 126), max_size=60),
    wanted=st.integers(0, 150),
)
def test_every_free_address_is_found_once_and_no_other(
    prefix: int, start: int, used: set[int], wanted: int
) -> None:
    subnet = IPv4Network((int(IPv4Network("10.1.0.0/16").network_address), prefix))
    hosts = [str(address) for address in subnet.hosts()]
    taken = {hosts[number] for number in used if number < len(hosts)}
    network = objects.Network(
        id="n",
        spec=specs.NetworkSpec(name="n"),
        subnet=str(subnet),
        address_next=start % subnet.num_addresses,
    )
    pool = AddressPool(network, set(taken))
    got = [address for _ in range(wanted) if (address := pool.take()) is not None]
    assert len(got) == len(set(got)) == min(wanted, len(hosts) - len(taken))
    assert set(got) <= set(hosts) - taken
    assert pool.free == len(hosts) - len(taken) - len(got)


@settings(max_examples=60, deadline=None)
@given(
    prefix=st.integers(25, 29),
    number=st.integers(0, 31),
    start=st.integers(0, 200),
    used=st.sets(st.integers(1, 126), max_size=60),
)
def test_a_range_of_the_subnet_is_used_whole_and_alone(
    prefix: int, number: int, start: int, used: set[int]
) -> None:
    subnet = IPv4Network("10.1.0.0/25")
    ranges = list(subnet.subnets(new_prefix=prefix))
    chosen = ranges[number % len(ranges)]
    hosts = [str(address) for address in subnet.hosts()]
    taken = {hosts[number] for number in used if number < len(hosts)}
    spec = specs.NetworkSpec(name="n", ip_range=str(chosen))
    network = objects.Network(id="n", spec=spec, subnet=str(subnet), address_next=start)
    pool = AddressPool(network, set(taken))
    got = {address for _ in range(130) if (address := pool.take()) is not None}
    assert got == {host for host in hosts if IPv4Address(host) in chosen} - taken
    assert pool.free == 0


def test_reserved_addresses_are_given_to_nobody() -> None:
    bench = Bench("n1")
    spec = stack_spec(service_spec(replicas=4))
    network = replace(
        spec.networks[0], subnet="10.7.0.0/29", reserved_addresses=("10.7.0.2", "10.7.0.3")
    )
    assert bench.put(replace(spec, networks=(network,))).error is None
    bench.settle()
    found = {address for task in bench.tasks() for address in task.addresses.values()}
    assert found
    assert not found & {"10.7.0.2", "10.7.0.3"}
    pending = [task for task in bench.tasks() if not task.addresses]
    assert pending
    assert "no free address on network shop_default" in pending[0].status.error


def test_an_address_that_was_just_freed_is_not_given_out_again_at_once() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    seen = [bench.newest().addresses]
    for _ in range(5):
        bench.report(bench.newest(), TaskState.FAILED, error="boom")
        bench.wait(20)
        bench.obey()
        assert bench.newest().addresses not in seen
        seen.append(bench.newest().addresses)


def test_a_small_subnet_is_used_round_and_round() -> None:
    bench = Bench("n1")
    _small(bench, service_spec(restart=specs.RestartPolicy(delay_seconds=0)))
    bench.obey()
    for _ in range(20):
        bench.report(bench.newest(), TaskState.FAILED, error="boom")
        bench.wait(1)
        bench.obey()
        assert bench.newest().status.state == TaskState.RUNNING


def test_an_exhausted_network_is_explained_and_used_again_when_addresses_are_free() -> None:
    bench = Bench("n1")
    # Six addresses: a virtual IP, a gateway, four tasks.
    _small(bench, service_spec(replicas=4))
    bench.obey()
    assert len(bench.live()) == 4
    _small(bench, service_spec(replicas=5))
    bench.obey()
    waiting = bench.newest(5)
    assert waiting.status.state == TaskState.NEW
    assert waiting.status.error == "no free address on network shop_default (6 of 6 in use)"
    bench.report(bench.newest(1), TaskState.FAILED, error="boom")
    bench.wait(20)
    bench.settle()
    assert bench.newest(5).status.state == TaskState.ASSIGNED


@pytest.mark.parametrize(("nodes", "tasks"), [(1, 4), (2, 3), (3, 2)])
def test_tasks_leave_room_for_the_gateways_without_which_none_could_start(
    nodes: int, tasks: int
) -> None:
    # Six addresses and many tasks: had tasks taken them all, no node could join the network.
    bench = Bench(*(f"n{number}" for number in range(nodes)))
    _small(bench, service_spec(replicas=9))
    bench.obey()
    placed = {task.node_id for task in bench.live() if task.node_id}
    assert placed
    assert set(_network(bench).gateways) == placed
    assert len([task for task in bench.live() if task.node_id]) == tasks
    reasons = {task.status.error for task in bench.live() if not task.node_id}
    assert len(reasons) == 1
    assert next(iter(reasons)).startswith("no free address on network shop_default")


def test_a_full_second_network_does_not_make_rounds_go_on_for_ever() -> None:
    # Taking an address on the first and giving it back moved a cursor, which called for a round.
    bench = Bench("n1")
    spec = stack_spec(service_spec(replicas=9, networks=("shop_wide", "shop_tight")))
    tight = [
        replace(network, subnet="10.7.0.0/29") if network.name == "shop_tight" else network
        for network in spec.networks
    ]
    bench.put(replace(spec, networks=tuple(tight)))
    bench.obey()
    assert bench.settle().changes == ()
    cursor = _network(bench, "shop_wide").address_next
    bench.wait(60)
    bench.settle()
    assert _network(bench, "shop_wide").address_next == cursor
    assert any(
        "no free address on network shop_tight" in task.status.error for task in bench.tasks()
    )


def test_tasks_wait_for_their_services_virtual_ip() -> None:
    bench = Bench("n1")
    _small(bench, service_spec("shop_db", replicas=9))
    bench.obey()
    _small(bench, service_spec("shop_db", replicas=9), service_spec())
    bench.obey()
    assert bench.service().endpoint.vips == {}
    assert bench.newest().status.state == TaskState.NEW
    _small(bench, service_spec("shop_db", replicas=0), service_spec())
    bench.obey()
    assert len(bench.service().endpoint.vips) == 1
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_service_with_dnsrr_has_no_virtual_ip() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(endpoint_mode=specs.EndpointMode.DNSRR))
    bench.settle()
    assert bench.service().endpoint.vips == {}
    assert bench.newest().status.state == TaskState.ASSIGNED


def test_a_virtual_ip_stays_through_updates() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    vips = bench.service().endpoint.vips
    bench.deploy(service_spec(image="app:2", replicas=3))
    bench.obey()
    assert bench.service().endpoint.vips == vips


def test_the_addresses_of_ended_tasks_and_removed_nodes_are_free() -> None:
    bench = Bench("n1", "n2")
    _small(bench, service_spec(replicas=3))
    bench.obey()
    bench.lose("n2")
    bench.obey()
    # The lost task may still use its address; the network is full now.
    assert any(task.status.state == TaskState.NEW for task in bench.live())
    bench.submit(commands.RemoveNode(node_id="n2", now=bench.now))
    bench.obey()
    assert all(task.status.state == TaskState.RUNNING for task in bench.live())
    assert set(_network(bench).gateways) == {"n1"}


def test_each_network_has_its_own_vni_and_subnet() -> None:
    bench = Bench("n1")
    names = [f"shop_{number}" for number in range(5)]
    bench.deploy(*(service_spec(f"shop_s{name}", networks=(name,)) for name in names))
    bench.settle()
    networks = list(bench.state.networks.values())
    assert len({network.vni for network in networks}) == 5
    assert min(network.vni for network in networks) == subnets.VNI_FIRST
    assert all(IPv4Network(network.subnet).prefixlen == 22 for network in networks)


def test_vnis_and_subnets_of_a_removed_network_are_not_used_again_at_once() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    first = _network(bench)
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    bench.obey()
    bench.deploy(service_spec())
    bench.obey()
    second = _network(bench)
    assert (second.vni, second.subnet) != (first.vni, first.subnet)
    assert second.vni == first.vni + 1


@settings(max_examples=40, deadline=None)
@given(
    routes=st.lists(
        st.builds(
            lambda piece, prefix: str(
                IPv4Network(
                    (int(subnets.POOL.network_address) + piece * 1024, prefix), strict=False
                )
            ),
            st.integers(0, 40),
            st.integers(8, 24),
        ),
        max_size=5,
    )
)
def test_subnets_avoid_the_routes_of_all_nodes(routes: list[str]) -> None:
    bench = Bench()
    bench.add_node("n1", routes=tuple(routes[::2]))
    bench.add_node("n2", routes=tuple(routes[1::2]))
    bench.deploy(service_spec())
    bench.settle()
    network = _network(bench)
    if not network.subnet:
        assert bench.newest().status.error == (
            "no free subnet for network shop_default in 10.64.0.0/10"
        )
        return
    assert not any(IPv4Network(route).overlaps(IPv4Network(network.subnet)) for route in routes)


def test_texts_that_are_no_routes_stop_nobody() -> None:
    bench = Bench()
    bench.add_node("n1", routes=("default", "::/0", "fd00::/8", "10.64.0.0/99", "0.0.0.0/0"))
    bench.deploy(service_spec())
    bench.settle()
    assert _network(bench).subnet == "10.64.0.0/22"


def test_a_wished_subnet_that_is_taken_is_explained() -> None:
    bench = Bench()
    bench.add_node("n1", routes=("10.7.0.0/16",))
    _small(bench, service_spec())
    bench.settle()
    assert bench.newest().status.error == (
        "subnet 10.7.0.0/29 of network shop_default overlaps 10.7.0.0/16"
    )


def test_every_round_explains_a_missing_subnet_in_the_same_words() -> None:
    # Also a round that looks at another service only.
    bench = Bench()
    bench.add_node("n1", routes=("10.7.0.0/16",))
    _small(bench, service_spec())
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",)), name="b"))
    bench.obey()
    before = bench.newest().status
    bench.report(bench.newest(name="b_web"), TaskState.FAILED, error="boom")
    bench.obey()
    assert bench.newest().status == before


def test_a_node_has_a_gateway_on_the_networks_of_its_tasks_only() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(placement=specs.Placement(constraints=("node.hostname==n1",))))
    bench.obey()
    assert set(_network(bench).gateways) == {"n1"}
    bench.submit(commands.ScaleService(service_id=bench.service().id, replicas=0, now=bench.now))
    bench.obey()
    assert not _network(bench).gateways


def test_an_ingress_network_reaches_every_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(ports=(PORT,)))
    bench.settle()
    assert set(_network(bench).gateways) == {"n1", "n2"}
    bench.add_node("n3", role=NodeRole.MANAGER)
    bench.settle()
    assert set(_network(bench).gateways) == {"n1", "n2", "n3"}


def test_a_removed_service_needs_no_gateways_on_nodes_without_its_tasks() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(ports=(PORT,)))
    bench.obey()
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    bench.settle()
    assert set(_network(bench).gateways) == set(bench.places()) | {bench.newest().node_id}


@pytest.mark.parametrize(("waiting", "vip", "task"), [(0, True, True), (1, False, False)])
def test_the_last_addresses_are_kept_for_tasks_that_wait_for_a_node(
    waiting: int, vip: bool, task: bool
) -> None:
    network = objects.Network(id="n", spec=specs.NetworkSpec(name="n"), subnet="10.1.0.0/29")
    used = {f"10.1.0.{number}" for number in range(1, 5 + waiting)}
    pool = AddressPool(network, used, nodes_without=9, waiting=waiting)
    assert (pool.has_room_for_vip, pool.has_room_for_task) == (vip, task)


def test_ports_without_a_number_get_one_and_keep_it() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(ports=(PORT,)), service_spec("shop_db", ports=(PORT,)))
    bench.settle()
    ports = [bench.service(name).endpoint.ports[0].published for name in ("shop_db", "shop_web")]
    assert sorted(ports) == [30000, 30001]
    bench.deploy(service_spec(image="app:2", ports=(PORT,)), service_spec("shop_db", ports=(PORT,)))
    bench.settle()
    again = [bench.service(name).endpoint.ports[0].published for name in ("shop_db", "shop_web")]
    assert again == ports


def test_two_ports_of_one_target_do_not_trade_their_numbers_for_ever() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(ports=(PORT, PORT)))
    bench.settle()
    ports = bench.service().endpoint.ports
    assert [port.published for port in ports] == [30000, 30001]
    assert bench.settle().changes == ()
    assert bench.service().endpoint.ports == ports


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_chosen_number_is_never_one_that_somebody_asked_for(protocol: str) -> None:
    bench = Bench("n1")
    asked = specs.PortSpec(target=80, published=30000, protocol=protocol)
    bench.deploy(service_spec(ports=(PORT,)), service_spec("shop_db", ports=(asked,)))
    bench.settle()
    assert bench.service("shop_db").endpoint.ports == (asked,)
    assert bench.service().endpoint.ports[0].published == (30001 if protocol == "tcp" else 30000)


def test_host_ports_without_a_number_are_left_to_the_engine() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(ports=(replace(PORT, mode=specs.PortMode.HOST),)))
    bench.settle()
    assert bench.service().endpoint.ports[0].published == 0
    assert bench.newest().host_ports[0].published == 0
