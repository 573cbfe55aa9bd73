"""What one stack makes and another uses: found by name, and kept while it is used."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from stackctl.model import specs
from stackctl.state import commands
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

Use = Callable[[specs.ServiceSpec], specs.ServiceSpec]

SETTINGS = specs.ConfigSpec(name="shop_settings", content=b"blue")
KEY = specs.SecretSpec(name="shop_key", content=b"hush")
OWN = "guest_default"


def _on_network(service: specs.ServiceSpec) -> specs.ServiceSpec:
    attachments = (*service.task.networks, specs.NetworkAttachment(network=NETWORK))
    return replace(service, task=replace(service.task, networks=attachments))


def _with_config(service: specs.ServiceSpec) -> specs.ServiceSpec:
    uses = (specs.ConfigReference(name=SETTINGS.name, target="/settings"),)
    container = replace(service.task.container, configs=uses)
    return replace(service, task=replace(service.task, container=container))


def _with_secret(service: specs.ServiceSpec) -> specs.ServiceSpec:
    uses = (specs.ConfigReference(name=KEY.name, target="/run/secrets/key"),)
    container = replace(service.task.container, secrets=uses)
    return replace(service, task=replace(service.task, container=container))


def _guest(use: Use, **fields: object) -> specs.StackSpec:
    """A stack that defines its own network and uses something of the stack `shop`."""
    service = use(service_spec("guest_web", networks=(OWN,)))
    networks = (specs.NetworkSpec(name=OWN),)
    return replace(specs.StackSpec(name="guest", services=(service,), networks=networks), **fields)


def _shop() -> specs.StackSpec:
    return replace(stack_spec(service_spec()), configs=(SETTINGS,), secrets=(KEY,))


def _both(use: Use) -> Bench:
    bench = Bench("n1")
    bench.put(_shop())
    assert bench.put(_guest(use)).error is None
    bench.obey()
    return bench


USES = pytest.mark.parametrize(
    ("use", "kind", "name"),
    [
        (_on_network, "network", NETWORK),
        (_with_config, "config", SETTINGS.name),
        (_with_secret, "secret", KEY.name),
    ],
)


@USES
def test_a_stack_uses_what_another_has_made(use: Use, kind: str, name: str) -> None:
    bench = _both(use)
    (task,) = bench.tasks("guest_web")
    network_id = bench.state.network_ids[NETWORK]
    assert (network_id in task.addresses) == (kind == "network")
    service = bench.service("guest_web")
    assert (name in service.config_ids[service.revision]) == (kind == "config")
    assert (name in service.secret_ids[service.revision]) == (kind == "secret")


@USES
def test_what_no_stack_has_made_is_refused(use: Use, kind: str, name: str) -> None:
    error = Bench("n1").put(_guest(use)).error
    assert error is not None
    assert error.message == f"service guest_web: uses the undefined {kind} {name}"
    assert error.hint == f"define the {kind}, or deploy the stack first that makes it"


@USES
def test_a_stack_is_not_removed_while_another_uses_what_it_made(
    use: Use, kind: str, name: str
) -> None:
    bench = _both(use)
    remove = commands.RemoveStack(name="shop", now=bench.now)
    error = bench.submit(remove).error
    assert error is not None
    assert error.message == f"{kind} {name} of stack shop is used by service guest_web"
    assert not bench.service().removing
    bench.submit(commands.RemoveStack(name="guest", now=bench.now))
    assert bench.submit(remove).error is None
    bench.obey()
    assert not bench.state.stacks
    assert not bench.state.networks


@USES
def test_a_deploy_does_not_prune_what_another_stack_uses(use: Use, kind: str, name: str) -> None:
    bench = _both(use)
    error = bench.put(specs.StackSpec(name="shop"), prune=True).error
    assert error is not None
    assert error.message == f"{kind} {name} of stack shop is used by service guest_web"


@USES
def test_what_a_rollback_would_need_is_kept(use: Use, kind: str, name: str) -> None:
    bench = _both(use)
    alone = service_spec("guest_web", image="app:2", networks=(OWN,))
    bench.put(_guest(lambda _: alone))
    error = bench.submit(commands.RemoveStack(name="shop", now=bench.now)).error
    assert error is not None
    assert error.message.startswith(f"{kind} {name} of stack shop is used")


def test_what_is_being_removed_is_not_used_anew() -> None:
    bench = Bench("n1")
    bench.put(_shop())
    bench.settle()
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    error = bench.put(_guest(_on_network)).error
    assert error is not None
    assert error.message == f"service guest_web: uses network {NETWORK}, which is being removed"


def test_a_stack_does_not_prune_its_own_network_from_under_a_service() -> None:
    bench = Bench("n1")
    bench.put(_shop())
    kept = specs.StackSpec(name="shop", services=(service_spec(),))
    assert bench.put(kept).error is None
    error = bench.put(kept, prune=True).error
    assert error is not None
    assert error.message == (
        f"service shop_web: uses network {NETWORK}, which the stack no longer defines"
    )


def test_many_users_are_counted() -> None:
    bench = Bench("n1")
    bench.put(_shop())
    names = [f"guest_{letter}" for letter in "edcba"]
    services = tuple(service_spec(name) for name in names)
    bench.put(specs.StackSpec(name="guest", services=services))
    error = bench.submit(commands.RemoveStack(name="shop", now=bench.now)).error
    assert error is not None
    assert error.message == (
        f"network {NETWORK} of stack shop is used by services guest_a, guest_b, guest_c and 2 more"
    )


def test_a_mesh_port_needs_a_network_that_is_not_internal_whoever_made_it() -> None:
    bench = Bench("n1")
    shop = stack_spec(service_spec())
    bench.put(replace(shop, networks=(specs.NetworkSpec(name=NETWORK, internal=True),)))
    port = specs.PortSpec(target=80, published=8080)
    service = replace(service_spec("guest_web"), ports=(port,))
    error = bench.put(specs.StackSpec(name="guest", services=(service,))).error
    assert error is not None
    assert error.message == (
        "service guest_web: a port published on every node needs a network that is not internal"
    )
