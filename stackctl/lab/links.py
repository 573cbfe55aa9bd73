"""The lab's network on the machine: one bridge, a link to each node, a way out.

The machine itself has the subnet's first address on the bridge, so that every node answers the
machine's own tools. The *way out* lets nodes pull images: forwarding, masquerading in a table of
our own, and, only where the machine's firewall drops forwarded packets (an engine in the root
namespace does that), two accepting rules; without them not even two nodes would hear each
other, because bridged packets pass the same firewall when `bridge-nf-call-iptables` is on.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from stackctl.errors import Conflict
from stackctl.lab import tools
from stackctl.lab.plan import LabPlan, NodePlan

_LINKS = Path("/sys/class/net")
_NAMESPACES = Path("/run/netns")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_IFF_UP = 1


def busy_subnets(*, but_not_of: str | None = None) -> list[str]:
    """The subnets to which this machine has a route, without those of the link `but_not_of`."""
    routes: list[dict[str, Any]] = json.loads(tools.run("ip", "-json", "-4", "route", "show"))
    return [
        route["dst"]
        for route in routes
        if route["dst"] != "default" and route.get("dev") != but_not_of
    ]


def bridge_owner(bridge: str) -> str | None:
    """The owner's mark of a lab's bridge; None where there is no such link."""
    try:
        return (_LINKS / bridge / "ifalias").read_text().strip()
    except FileNotFoundError:
        return None


def ensure_bridge(plan: LabPlan) -> None:
    """Create the lab's bridge with the machine's address on it.

    Raises `Conflict` when a lab in another directory owns a bridge of that name.
    """
    owner = bridge_owner(plan.bridge)
    if owner is None:
        tools.run(
            *("ip", "-batch", "-"),
            stdin=_lines(
                f"link add {plan.bridge} type bridge",
                f"link set {plan.bridge} alias '{plan.owner_mark}'",
                f"address add {plan.gateway}/{plan.prefix_length} dev {plan.bridge}",
                f"link set {plan.bridge} up",
            ),
        )
    elif owner != plan.owner_mark:
        raise Conflict(
            f"the lab {plan.name} belongs to a {owner or 'link that no lab made'}",
            hint="give this one another name with --name",
        )


def ensure_node_network(plan: LabPlan, node: NodePlan) -> None:
    """Create the node's network namespace and its link, as far as they are missing."""
    if not node.network_pin.exists():
        remove_node_network(node)
        tools.run("ip", "netns", "add", node.namespace)
    if not (_LINKS / node.link).exists():
        tools.run(
            *("ip", "-batch", "-"),
            stdin=_lines(
                f"link add {node.link} type veth peer name eth0"
                f" address {node.hardware_address} netns {node.namespace}",
                f"link set {node.link} master {plan.bridge} up",
            ),
        )
        tools.run(
            *("ip", "-netns", node.namespace, "-batch", "-"),
            stdin=_lines(
                "link set lo up",
                f"address add {node.address}/{plan.prefix_length} dev eth0",
                "link set eth0 up",
                f"route add default via {plan.gateway}",
            ),
        )


def remove_node_network(node: NodePlan) -> None:
    remove_link(node.link)
    remove_namespace(node.namespace)


def set_link(node: NodePlan, *, up: bool) -> None:
    """Plug the node's cable in or pull it, at the lab's end: the node cannot undo it."""
    tools.run("ip", "link", "set", node.link, "up" if up else "down")


def has_link(node: NodePlan) -> bool:
    return (_LINKS / node.link).exists()


def is_up(node: NodePlan) -> bool:
    try:
        flags = (_LINKS / node.link / "flags").read_text()
    except FileNotFoundError:
        return False
    return bool(int(flags, 16) & _IFF_UP)


def remove_link(link: str) -> None:
    if (_LINKS / link).exists():
        tools.run("ip", "link", "delete", link)


def remove_namespace(namespace: str) -> None:
    """Remove the name; the namespace itself ends with its last process."""
    pin = _NAMESPACES / namespace
    if pin.exists() and not tools.succeeds("ip", "netns", "delete", namespace):
        pin.unlink(missing_ok=True)  # after a reboot a name is a file that holds nothing


def links_like(pattern: str) -> list[str]:
    """Links of this machine whose whole name matches a regular expression."""
    return sorted(link.name for link in _LINKS.iterdir() if re.fullmatch(pattern, link.name))


def namespaces_like(pattern: str) -> list[str]:
    """Network namespaces of this machine whose whole name matches a regular expression."""
    if not _NAMESPACES.exists():
        return []
    return sorted(pin.name for pin in _NAMESPACES.iterdir() if re.fullmatch(pattern, pin.name))


def open_way_out(plan: LabPlan) -> bool:
    """Let packets leave the lab; returns whether the machine did not forward packets before."""
    was_off = _FORWARDING.read_text().strip() == "0"
    if was_off:
        _FORWARDING.write_text("1")
    tools.run("nft", "-f", "-", stdin=masquerading_rules(plan))
    if _machine_drops_forwarded():
        for rule in accepting_rules(plan.bridge):
            if not tools.succeeds("iptables", "-w", "-C", *rule):
                tools.run("iptables", "-w", "-I", *rule)
    return was_off


def close_way_out(bridge: str, *, stop_forwarding: bool) -> None:
    """Undo `open_way_out`; nothing happens where it has not been done."""
    if tools.succeeds("nft", "list", "table", "ip", bridge):
        tools.run("nft", "delete", "table", "ip", bridge)
    if _machine_drops_forwarded():
        for rule in accepting_rules(bridge):
            while tools.succeeds("iptables", "-w", "-D", *rule):
                pass
    if stop_forwarding:
        with contextlib.suppress(OSError):
            _FORWARDING.write_text("0")


def masquerading_rules(plan: LabPlan) -> str:
    """A table named after the bridge: what leaves the lab has the machine's address."""
    table = f"table ip {plan.bridge}"
    return (
        f"{table}\ndelete {table}\n{table} {{\n"
        "  chain leaving {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        f'    ip saddr {plan.subnet} oifname != "{plan.bridge}" masquerade\n'
        "  }\n}\n"
    )


def accepting_rules(bridge: str) -> tuple[tuple[str, ...], ...]:
    """The rules that let packets from and to the lab through the machine's FORWARD chain."""
    return (
        ("FORWARD", "-i", bridge, "-j", "ACCEPT"),
        ("FORWARD", "-o", bridge, "-j", "ACCEPT"),
    )


def _machine_drops_forwarded() -> bool:
    """Whether the chain holds anything at all; an untouched machine gets no rule of ours."""
    listed = tools.run("iptables", "-w", "-S", "FORWARD").split("\n")
    return [line for line in listed if line] != ["-P FORWARD ACCEPT"]


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
