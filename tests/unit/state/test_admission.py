"""What may enter: each refusal names the service and the reason."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from stackctl.model import specs
from stackctl.state import admission
from stackctl.state.results import Rejection
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

Change = Callable[[specs.ServiceSpec], specs.ServiceSpec]


def _task(spec: specs.ServiceSpec, **fields: object) -> specs.ServiceSpec:
    return replace(spec, task=replace(spec.task, **fields))


def _update(**fields: object) -> Change:
    return lambda spec: replace(spec, update=replace(spec.update, **fields))


def _port(**fields: object) -> Change:
    port = replace(specs.PortSpec(target=80, published=8080), **fields)
    return lambda spec: replace(spec, ports=(*spec.ports, port))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda spec: replace(spec, replicas=-1), "replicas must not be negative"),
        (lambda spec: replace(spec, replicas=10**7), "10000000 replicas; the most is 100000"),
        (
            lambda spec: _task(spec, networks=(specs.NetworkAttachment(network="x"),)),
            "uses the undefined network x",
        ),
        (
            lambda spec: _task(spec, networks=spec.task.networks * 2),
            f"is attached to network {NETWORK} twice",
        ),
        (
            lambda spec: _task(
                spec,
                container=replace(
                    spec.task.container,
                    configs=(specs.ConfigReference(name="x", target="/x"),),
                ),
            ),
            "uses the undefined config x",
        ),
        (
            lambda spec: _task(spec, placement=specs.Placement(constraints=("node.role",))),
            "constraint 'node.role' needs one of the operators ==, !=, in and not in",
        ),
        (
            lambda spec: _task(spec, placement=specs.Placement(prefer=("node.moon==full",))),
            (
                "no node has 'node.moon'; keys are node.id, node.hostname, node.ip, node.role, "
                "node.platform.os, node.platform.arch, node.labels.NAME"
            ),
        ),
        (
            lambda spec: _task(spec, placement=specs.Placement(avoid_services=(spec.name,))),
            "it cannot be kept apart from itself",
        ),
        (
            lambda spec: _task(spec, reservations=specs.Resources(generic={"GPU": -1})),
            "a reservation must not be negative",
        ),
        (
            lambda spec: _task(spec, placement=specs.Placement(spread=("moon",))),
            "tasks cannot be spread over 'moon'",
        ),
        (
            lambda spec: _task(spec, placement=specs.Placement(replicas_per_node_max=-1)),
            "the maximum of replicas per node must not be negative",
        ),
        (
            lambda spec: _task(spec, restart=specs.RestartPolicy(attempts_max=-1)),
            "the restart attempts must be a number from 0 on",
        ),
        (
            lambda spec: _task(spec, restart=specs.RestartPolicy(delay_seconds=-1)),
            "the restart delay must be a number from 0 on",
        ),
        (
            lambda spec: _task(spec, restart=specs.RestartPolicy(window_seconds=float("nan"))),
            "the restart window must be a number from 0 on",
        ),
        (
            lambda spec: _task(spec, reservations=specs.Resources(memory_bytes=-1)),
            "a reservation must not be negative",
        ),
        (
            lambda spec: _task(spec, limits=specs.Resources(pids=-1)),
            "a limit must not be negative",
        ),
        (_update(parallelism=-1), "the update parallelism must be a number from 0 on"),
        (_update(delay_seconds=float("inf")), "the update delay must be a number from 0 on"),
        (_update(monitor_seconds=-0.1), "the update monitor must be a number from 0 on"),
        (_update(max_failure_ratio=1.1), "the update failure ratio must be between 0 and 1"),
        (
            lambda spec: replace(spec, rollback=specs.UpdatePolicy(max_failure_ratio=float("nan"))),
            "the rollback failure ratio must be between 0 and 1",
        ),
        (_port(protocol="icmp"), "no protocol 'icmp' for published ports"),
        (_port(target=0), "no port 8080:0; ports end at 65535"),
        (_port(published=65536), "no port 65536:80; ports end at 65535"),
        (
            lambda spec: replace(_port()(spec), endpoint_mode=specs.EndpointMode.DNSRR),
            "a port published on every node needs endpoint mode vip, not dnsrr",
        ),
        (
            lambda spec: _task(_port()(spec), networks=()),
            "a port published on every node needs a network that is not internal",
        ),
    ],
)
def test_a_service_that_cannot_be_carried_out_is_refused(change: Change, reason: str) -> None:
    spec = replace(stack_spec(service_spec()), services=(change(service_spec()),))
    with pytest.raises(Rejection) as caught:
        admission.check_stack(Bench().state, spec, prune=False)
    assert caught.value.error.message == f"service shop_web: {reason}"
    assert caught.value.error.exit_code == 2


def test_a_host_port_needs_no_network() -> None:
    spec = _task(_port(mode=specs.PortMode.HOST)(service_spec()), networks=())
    admission.check_stack(Bench().state, stack_spec(spec), prune=False)


@pytest.mark.parametrize(
    ("subnet", "reason"),
    [
        ("10.0.0.1/24", "has host bits set"),
        ("fish", "network shop_default"),
        ("fd00::/64", "network shop_default"),
        ("10.0.0.0/30", "subnet 10.0.0.0/30 is too small"),
    ],
)
def test_a_subnet_that_cannot_be_is_refused(subnet: str, reason: str) -> None:
    spec = stack_spec(service_spec())
    spec = replace(spec, networks=(replace(spec.networks[0], subnet=subnet),))
    with pytest.raises(Rejection, match=reason):
        admission.check_stack(Bench().state, spec, prune=False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ip_range": "10.8.0.0/25"}, "must be in 10.7.0.0/24"),
        ({"ip_range": "10.0.0.0/8"}, "must be in 10.7.0.0/24"),
        ({"ip_range": "fish"}, "network shop_default"),
        ({"reserved_addresses": ("10.8.0.1",)}, "must be in 10.7.0.0/24"),
        ({"reserved_addresses": ("fish",)}, "network shop_default"),
        ({"subnet": "", "ip_range": "10.7.0.0/25"}, "need a subnet"),
        ({"subnet": "", "reserved_addresses": ("10.7.0.1",)}, "need a subnet"),
    ],
)
def test_a_range_that_cannot_be_is_refused(fields: dict[str, Any], reason: str) -> None:
    spec = stack_spec(service_spec())
    network = replace(spec.networks[0], **({"subnet": "10.7.0.0/24"} | fields))
    with pytest.raises(Rejection, match=reason):
        admission.check_stack(Bench().state, replace(spec, networks=(network,)), prune=False)


@pytest.mark.parametrize("part", ["services", "networks", "configs"])
def test_nothing_is_defined_twice(part: str) -> None:
    spec = replace(stack_spec(service_spec()), configs=(specs.ConfigSpec(name="c", content=b""),))
    doubled = replace(spec, **{part: getattr(spec, part) * 2})
    with pytest.raises(Rejection, match="is defined twice"):
        admission.check_stack(Bench().state, doubled, prune=False)


def test_two_services_cannot_publish_one_port_on_every_node() -> None:
    bench = Bench("n1")
    bench.deploy(_port()(service_spec()))
    spec = stack_spec(_port()(service_spec("b_web", networks=("b_net",))), name="b")
    with pytest.raises(Rejection, match="port 8080/tcp of b_web is already published by shop_web"):
        admission.check_stack(bench.state, spec, prune=False)


@pytest.mark.parametrize(
    ("first", "second", "may"),
    [
        (specs.PortMode.HOST, specs.PortMode.HOST, True),
        (specs.PortMode.HOST, specs.PortMode.INGRESS, False),
        (specs.PortMode.INGRESS, specs.PortMode.HOST, False),
    ],
)
def test_only_host_ports_may_meet(first: specs.PortMode, second: specs.PortMode, may: bool) -> None:
    spec = stack_spec(
        _port(mode=first)(service_spec()), _port(mode=second)(service_spec("shop_db"))
    )
    if may:
        admission.check_stack(Bench().state, spec, prune=False)
        return
    with pytest.raises(Rejection, match="already published"):
        admission.check_stack(Bench().state, spec, prune=False)


def test_tcp_and_udp_are_different_ports() -> None:
    spec = stack_spec(_port()(_port(protocol="udp")(service_spec())))
    admission.check_stack(Bench().state, spec, prune=False)


def test_a_port_of_a_pruned_service_is_free() -> None:
    bench = Bench("n1")
    bench.deploy(_port()(service_spec()))
    spec = stack_spec(_port()(service_spec("shop_new")))
    admission.check_stack(bench.state, spec, prune=True)
    with pytest.raises(Rejection, match="already published by shop_web"):
        admission.check_stack(bench.state, spec, prune=False)


def test_a_port_that_was_chosen_for_a_service_is_taken() -> None:
    bench = Bench("n1")
    bench.deploy(_port(published=0)(service_spec()))
    bench.settle()
    spec = _port(published=30000)(service_spec("b_web", networks=("b_net",)))
    with pytest.raises(Rejection, match="port 30000/tcp"):
        admission.check_stack(bench.state, stack_spec(spec, name="b"), prune=False)


def test_names_belong_to_one_stack() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    with pytest.raises(Rejection, match="service shop_web already exists"):
        admission.check_stack(
            bench.state, stack_spec(service_spec(networks=("b",)), name="b"), prune=False
        )
    with pytest.raises(Rejection, match=f"network {NETWORK} already exists"):
        admission.check_stack(bench.state, stack_spec(service_spec("b_web"), name="b"), prune=False)


def test_a_network_keeps_its_subnet() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    spec = stack_spec(service_spec())
    spec = replace(spec, networks=(replace(spec.networks[0], subnet="10.1.0.0/24"),))
    with pytest.raises(Rejection, match="exists with another subnet"):
        admission.check_stack(bench.state, spec, prune=False)


def test_a_service_keeps_its_mode() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    with pytest.raises(Rejection, match="is replicated and cannot become global"):
        admission.check_stack(
            bench.state, stack_spec(service_spec(mode=specs.Mode.GLOBAL)), prune=False
        )
