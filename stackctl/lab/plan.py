"""What a lab is made of, as values: names, addresses, files and command lines; no effect here.

A *lab* is a set of nodes on one Linux machine, found again by its name and its directory. A
*node* owns a network namespace (named, so that `ip netns` shows it), a pair of pinned namespaces
for its mounts and its host name, one link to the lab's bridge, a cgroup, and a directory with its
engine's data, its logs, its state and its sockets.

Everything that can be told from the lab's name and a node's number is told here and nowhere
else, so that cleaning up after a crash needs no memory of what was done.
"""

import ipaddress
import re
import sys
from pathlib import Path
from typing import Literal

import msgspec

from stackctl.errors import InputError

DEFAULT_NAME = "lab"
DEFAULT_DIRECTORY = Path("/var/lib/stackctl/lab")
API_PORT = 2477
ANY_BRIDGE_PATTERN = r"sctl-[a-z][a-z0-9]*0"
NODES_MAX = 20

_FIRST_NODE_ADDRESS = 11
_SOCKET_PATH_MAX = 107  # bytes: sun_path holds 108 with the closing zero
_SUBNET_CANDIDATES = tuple(f"10.231.{number}.0/24" for number in range(64))
_PRIVATE_TREES = ("/etc", "/opt", "/run")

Role = Literal["manager", "worker"]
DaemonName = Literal["engine", "manager", "agent"]
DAEMONS: tuple[DaemonName, ...] = ("engine", "manager", "agent")  # in the order of starting


class NodePlan(msgspec.Struct, frozen=True):
    """One node: what it is called on this machine, and where its files are."""

    name: str
    role: Role
    address: str
    directory: Path
    namespace: str  # of the network, below /run/netns
    link: str  # the lab's side of the node's link
    cgroup: str  # below every cgroup hierarchy, without a leading slash

    @property
    def engine_socket(self) -> Path:
        return self.directory / "docker.sock"

    @property
    def manager_socket(self) -> Path:
        return self.run_directory / "manager.sock"

    @property
    def run_directory(self) -> Path:
        return self.directory / "run"

    @property
    def state_directory(self) -> Path:
        return self.directory / "state"

    @property
    def engine_settings_file(self) -> Path:
        return self.directory / "engine.json"

    @property
    def mount_pin(self) -> Path:
        return self.directory / "namespaces" / "mount"

    @property
    def name_pin(self) -> Path:
        return self.directory / "namespaces" / "uts"

    @property
    def network_pin(self) -> Path:
        return Path("/run/netns") / self.namespace

    @property
    def daemons_cgroup(self) -> str:
        return f"{self.cgroup}/daemons"

    @property
    def hardware_address(self) -> str:
        """The same after every start: the others remember it, as they do a network card's."""
        return ":".join(
            f"{byte:02x}" for byte in b"\x02\x53" + ipaddress.ip_address(self.address).packed
        )

    def log_file(self, daemon: DaemonName) -> Path:
        return self.directory / "log" / f"{daemon}.log"


class LabPlan(msgspec.Struct, frozen=True):
    """A whole lab; `with_engines_only` labs run engines and nothing of stackctl's own."""

    name: str
    directory: Path
    subnet: str
    with_engines_only: bool
    nodes: tuple[NodePlan, ...]

    @property
    def bridge(self) -> str:
        return bridge_name(self.name)

    @property
    def gateway(self) -> str:
        return str(next(ipaddress.ip_network(self.subnet).hosts()))

    @property
    def prefix_length(self) -> int:
        return ipaddress.ip_network(self.subnet).prefixlen

    @property
    def owner_mark(self) -> str:
        """The bridge's alias: which directory this lab's names belong to."""
        return owner_mark(self.directory)

    @property
    def managers(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if node.role == "manager")

    def daemons(self, node: NodePlan) -> tuple[DaemonName, ...]:
        """What runs on `node`, in the order in which it is started."""
        if self.with_engines_only:
            return ("engine",)
        return DAEMONS if node.role == "manager" else ("engine", "agent")


class Invitation(msgspec.Struct, frozen=True):
    """What a node needs to join: a token of the right kind, and whom to show it to."""

    token: str
    addresses: tuple[str, ...]  # of managers' API ports, "address:port"


def default_directory(name: str) -> Path:
    """Where the lab `name` lives when nobody says otherwise."""
    if name == DEFAULT_NAME:
        return DEFAULT_DIRECTORY
    return DEFAULT_DIRECTORY.with_name(f"{DEFAULT_DIRECTORY.name}-{name}")


def bridge_name(lab: str) -> str:
    """The bridge of the lab called `lab`."""
    return f"sctl-{lab}0"


def owner_mark(directory: Path) -> str:
    """What a bridge says about itself: which directory the lab's names belong to."""
    return f"stackctl lab in {directory}"


def lab_cgroup(lab: str) -> str:
    """The cgroup above all nodes of the lab called `lab`."""
    return f"stackctl-{lab}"


def link_pattern(lab: str) -> str:
    """What the lab's ends of the nodes' links are called, as a regular expression."""
    return rf"sctl-{lab}-\d+"


def namespace_pattern(lab: str) -> str:
    """What the nodes' network namespaces are called, as a regular expression."""
    return rf"{_namespace_prefix(lab)}-(manager|worker)\d+"


def plan_lab(
    *,
    name: str,
    directory: Path,
    subnet: str,
    node_count: int,
    manager_count: int,
    with_engines_only: bool,
) -> LabPlan:
    """The lab for these wishes; raises `InputError` where they cannot be met on any machine."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,6}", name):
        raise InputError(
            f"a lab cannot be called {name!r}",
            hint="use up to 7 lower-case letters and digits: they become part of link names",
        )
    if not 1 <= node_count <= NODES_MAX:
        raise InputError(f"a lab has 1 to {NODES_MAX} nodes, not {node_count}")
    if not 1 <= manager_count <= node_count:
        raise InputError(f"{manager_count} managers do not fit into {node_count} nodes")
    network = _parse_subnet(subnet)
    if network.num_addresses < _FIRST_NODE_ADDRESS + NODES_MAX:
        raise InputError(f"{subnet} is too small for a lab", hint="use a /24")
    if any(directory.is_relative_to(tree) for tree in _PRIVATE_TREES):
        raise InputError(
            f"a lab cannot live in {directory}: every node sees its own {directory.parts[1]}",
            hint="set STACKCTL_LAB_DIR to a directory elsewhere",
        )
    plan = LabPlan(
        name=name,
        directory=directory,
        subnet=str(network),
        with_engines_only=with_engines_only,
        nodes=tuple(
            _plan_node(
                name,
                directory,
                number=number,
                manager_count=manager_count,
                address=str(network[_FIRST_NODE_ADDRESS + number]),
            )
            for number in range(node_count)
        ),
    )
    _refuse_long_sockets(plan)
    return plan


def free_subnet(busy: list[str]) -> str:
    """The first of the lab's own subnets that overlaps none of the `busy` ones.

    Raises `InputError` when all of them do.
    """
    for candidate in _SUBNET_CANDIDATES:
        if not overlapping(candidate, busy):
            return candidate
    raise InputError(
        f"all subnets from {_SUBNET_CANDIDATES[0]} to {_SUBNET_CANDIDATES[-1]} are in use",
        hint="name another one with --subnet",
    )


def overlapping(subnet: str, busy: list[str]) -> list[str]:
    """Those of `busy` that overlap `subnet`."""
    network = _parse_subnet(subnet)
    return [other for other in busy if network.overlaps(ipaddress.ip_network(other, strict=False))]


def enter_command(node: NodePlan) -> list[str]:
    """What to put before a command so that it runs in the namespaces of `node`."""
    return [
        "nsenter",
        f"--net={node.network_pin}",
        f"--mount={node.mount_pin}",
        f"--uts={node.name_pin}",
    ]


def exec_command(node: NodePlan, cgroup_file: Path, command: list[str]) -> list[str]:
    """`command` as if it had been typed on `node`: in its namespaces, frozen and killed with it."""
    script = 'echo 0 >"$1" && shift && export DOCKER_HOST="$1" && shift && exec "$@"'
    engine = f"unix://{node.engine_socket}"
    return ["sh", "-c", script, "sh", str(cgroup_file), engine, *enter_command(node), *command]


def engine_settings(node: NodePlan) -> dict[str, object]:
    """The engine's configuration file: everything that two engines would fight over.

    What must vanish with the power (sockets of containerd, names of sandboxes) is in /run, of
    which each node has its own. Subnets may be the same on all nodes: they never leave the node.
    """
    return {
        "hosts": [f"unix://{node.engine_socket}"],
        "data-root": str(node.directory / "engine"),
        "exec-root": "/run/docker",
        "pidfile": str(node.directory / "engine.pid"),
        "bip": "172.30.0.1/24",
        "default-address-pools": [{"base": "172.31.0.0/16", "size": 24}],
        "cgroup-parent": f"/{node.cgroup}/containers",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
    }


def engine_command(node: NodePlan) -> list[str]:
    return ["dockerd", "--config-file", str(node.engine_settings_file)]


def manager_command(plan: LabPlan, node: NodePlan, *, invitation: Invitation | None) -> list[str]:
    """The manager of `node`: the lab's first one founds the cluster, the others are invited.

    A manager that has joined before finds everything in its state; it needs no invitation.
    """
    command = [
        _program("stackctl-manager"),
        *_daemon_arguments(node),
        *("--advertise-address", node.address),
    ]
    if node == plan.managers[0]:
        return [*command, "--bootstrap"]
    return command + _join_arguments(invitation)


def agent_command(node: NodePlan, *, invitation: Invitation | None) -> list[str]:
    """The agent of `node`; beside a manager it finds its identity in the shared state."""
    return [
        _program("stackctl-agent"),
        *_daemon_arguments(node),
        *("--data-address", node.address),
        *("--engine", f"unix://{node.engine_socket}"),
        *_join_arguments(invitation),
    ]


def hosts_file(plan: LabPlan) -> str:
    """/etc/hosts of every node: all nodes by name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{node.address} {node.name}" for node in plan.nodes]
    return "\n".join(lines) + "\n"


def resolver_file(files: list[str]) -> str:
    """/etc/resolv.conf of every node, from the machine's own `files`, best first.

    A resolver on a loopback address is out of reach from another network namespace: the first
    file that names a reachable one wins.
    """
    for text in files:
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if any(not ipaddress.ip_address(s.split("%")[0]).is_loopback for s in servers):
            return text
    return ""


def _plan_node(
    lab: str, directory: Path, *, number: int, manager_count: int, address: str
) -> NodePlan:
    role: Role = "manager" if number < manager_count else "worker"
    name = f"{role}{number + 1 if role == 'manager' else number - manager_count + 1}"
    return NodePlan(
        name=name,
        role=role,
        address=address,
        directory=directory / "nodes" / name,
        namespace=f"{_namespace_prefix(lab)}-{name}",
        link=f"sctl-{lab}-{number + 1}",
        cgroup=f"{lab_cgroup(lab)}/{name}",
    )


def _namespace_prefix(lab: str) -> str:
    return "sctl" if lab == DEFAULT_NAME else f"sctl-{lab}"


def _parse_subnet(subnet: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(subnet)
    except ValueError as error:
        raise InputError(f"{subnet!r} is not an IPv4 subnet: {error}") from error


def _refuse_long_sockets(plan: LabPlan) -> None:
    longest = max((str(node.manager_socket) for node in plan.nodes), key=len)
    if len(longest.encode()) > _SOCKET_PATH_MAX:
        raise InputError(
            f"the lab's directory {plan.directory} is too long for the sockets in it",
            hint="set STACKCTL_LAB_DIR to a shorter one",
        )


def _daemon_arguments(node: NodePlan) -> list[str]:
    return [
        *("--state-dir", str(node.state_directory)),
        *("--run-dir", str(node.run_directory)),
        *("--hostname", node.name),
    ]


def _join_arguments(invitation: Invitation | None) -> list[str]:
    if invitation is None:
        return []
    arguments = ["--join-token", invitation.token]
    for address in invitation.addresses:
        arguments += ["--join", address]
    return arguments


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)
