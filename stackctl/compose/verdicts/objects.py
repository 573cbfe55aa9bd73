"""Verdicts for the top level: the file itself, networks, volumes, configs, secrets and models."""

from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.rules import (
    HONOURED,
    Rule,
    When,
    emulated,
    honoured,
    refused,
    rule,
    rules,
    text_when,
    true_when,
)

_MTU_OPTION = "com.docker.network.driver.mtu"
_ENCRYPTED_OPTION = "encrypted"


def _asks_for_encryption(node: tree.Node) -> bool:
    entry = node.entries.get(_ENCRYPTED_OPTION) if isinstance(node, tree.Mapping) else None
    if entry is None or not isinstance(entry.value, tree.Scalar):
        return False
    return entry.value.text.lower() not in ("false", "0")


def _has_other_options(node: tree.Node) -> bool:
    names = set(node.entries) if isinstance(node, tree.Mapping) else set()
    return bool(names - {_MTU_OPTION, _ENCRYPTED_OPTION})


_IS_EXTERNAL = When(
    "set to true or a mapping",
    lambda node: (
        isinstance(node, tree.Mapping)
        or (isinstance(node, tree.Scalar) and node.text.lower() in ("true", "yes", "y", "on"))
    ),
)
_OF_SWARM = refused(
    "drivers of configs and secrets are plug-ins of Swarm", "give file:, environment: or content:"
)
_TEMPLATE = refused(
    "contents reach containers as they are", "fill the template in beforehand, or use variables"
)
_STORE = refused("one host has no store of configs and secrets", "use file: or environment:")
_NO_OBJECT = honoured("used in a cluster; one host has files only, and no store of objects")

TOP: tuple[Rule, ...] = (
    rule("version", honoured("has no effect, because the keys of all versions are known")),
    rule("name", honoured("the name of the stack, unless the command gives one")),
    rule(
        "include",
        honoured("the services of the other files are put in before anything else"),
        parts="[].path [].project_directory [].env_file",
    ),
    rule(
        "models",
        refused(
            "models are run by Docker Desktop, beside one engine",
            "run the model as a service of its own",
        ),
        parts="*.name *.model *.context_size *.runtime_flags",
    ),
)

NETWORKS: tuple[Rule, ...] = (
    rule(
        "networks.*.driver",
        refused("the networks of a stack are overlays", "remove driver:"),
        HONOURED,
        when=text_when(
            "other than overlay and default", lambda text: text not in ("", "overlay", "default")
        ),
    ),
    rule("networks.*.driver", local=emulated("a bridge: one host needs no overlay")),
    *rules("networks.*", "name labels internal"),
    rule(
        "networks.*.attachable",
        refused(
            "containers that are started by hand cannot join the networks of a stack", "remove it"
        ),
        HONOURED,
        when=true_when(),
    ),
    rule("networks.*.attachable"),
    rule(
        "networks.*.driver_opts",
        refused(
            "overlay traffic is not encrypted",
            "remove it, or keep this traffic on one node",
            firm=True,
        ),
        HONOURED,
        when=When("with encrypted", _asks_for_encryption),
    ),
    rule(
        "networks.*.driver_opts",
        refused(f"an overlay has no options but {_MTU_OPTION}", "remove the others"),
        HONOURED,
        when=When(f"with others than {_MTU_OPTION}", _has_other_options),
    ),
    rule("networks.*.driver_opts"),
    rule(
        "networks.*.external",
        honoured("another stack has made it: the name is the full one, STACK_NETWORK"),
        honoured("it must be there already"),
        when=_IS_EXTERNAL,
        parts="name",
    ),
    rule("networks.*.external"),
    rule(
        "networks.*.enable_ipv4",
        refused("the networks of a cluster are IPv4", "remove it"),
        HONOURED,
        when=text_when("set to false", lambda text: text.lower() in ("false", "no", "n", "off")),
    ),
    rule("networks.*.enable_ipv4"),
    rule(
        "networks.*.enable_ipv6",
        refused("the networks of a cluster have no IPv6 addresses", "remove it"),
        HONOURED,
        when=true_when(),
    ),
    rule("networks.*.enable_ipv6"),
    rule(
        "networks.*.ipam.driver",
        refused("the manager chooses all addresses", "remove driver:"),
        HONOURED,
        when=text_when("other than default", lambda text: text not in ("", "default")),
    ),
    rule("networks.*.ipam.driver"),
    rule(
        "networks.*.ipam.options",
        refused("the manager chooses all addresses, and has no options for it", "remove it"),
        HONOURED,
    ),
    *rules("networks.*.ipam.config[]", "subnet ip_range"),
    rule(
        "networks.*.ipam.config[].aux_addresses",
        honoured("these addresses are given to nobody"),
        HONOURED,
    ),
    rule(
        "networks.*.ipam.config[].gateway",
        refused("each node has a gateway of its own", "remove it"),
        HONOURED,
    ),
)

VOLUMES: tuple[Rule, ...] = (
    rule(
        "volumes.*.driver",
        honoured("its plug-in must be on each node that runs a task"),
        honoured("its plug-in must be there"),
        when=text_when("other than local", lambda text: text not in ("", "local")),
    ),
    rule("volumes.*.driver"),
    *rules("volumes.*", "name labels driver_opts"),
    rule(
        "volumes.*.external",
        honoured("it is never made: each node that runs a task must have it"),
        honoured("it must be there already"),
        when=_IS_EXTERNAL,
        parts="name",
    ),
    rule("volumes.*.external"),
    rule(
        "volumes.*.x-cluster-spec",
        refused("cluster volumes are not supported", "use driver: local"),
    ),
)


CONFIGS: tuple[Rule, ...] = (
    *rules("configs.*", "file content"),
    *rules("configs.*", "name labels", local=_NO_OBJECT),
    rule("configs.*.environment"),
    rule(
        "configs.*.external",
        honoured("another stack has made it: the name is the full one, STACK_CONFIG"),
        _STORE,
        when=_IS_EXTERNAL,
        parts="name",
    ),
    rule("configs.*.external"),
    *rules("configs.*", "driver driver_opts", _OF_SWARM),
    rule("configs.*.template_driver", _TEMPLATE),
)

SECRETS: tuple[Rule, ...] = (
    *rules("secrets.*", "file environment"),
    *rules("secrets.*", "name labels", local=_NO_OBJECT),
    rule("secrets.*.content", honoured("what stands in the file is no secret")),
    rule(
        "secrets.*.external",
        honoured("another stack has made it: the name is the full one, STACK_SECRET"),
        _STORE,
        when=_IS_EXTERNAL,
        parts="name",
    ),
    rule("secrets.*.external"),
    *rules("secrets.*", "driver driver_opts", _OF_SWARM),
    rule("secrets.*.template_driver", _TEMPLATE),
)
