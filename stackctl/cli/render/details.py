"""One object for people: a line for each thing worth knowing, absent things left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stackctl.cli.render.images import without_digest
from stackctl.cli.render.logs import render_time
from stackctl.cli.render.nodes import in_order
from stackctl.cli.render.ports import render_ports
from stackctl.client.views import ClusterView, NodeView, ServiceDetail, ServiceView

_NANO = 1_000_000_000
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

Line = tuple[int, str, str]  # indent, label, text


def render_service(detail: ServiceDetail) -> str:
    """A service: what was asked, what was allocated, where its update stands."""
    service, spec = detail["service"], detail["spec"]
    task = spec.get("task", {})
    lines: list[Line] = [
        (0, "ID", service["id"]),
        (0, "Name", service["name"]),
        (0, "Stack", service["stack"]),
        *_mapping("Labels", service["labels"]),
        (0, "Mode", service["mode"]),
        (1, "Running", f"{service['running']} of {service['desired']}"),
        (1, "Completed", _completed(service)),
        (1, "Restarts", str(service["restarts"]) if service["restarts"] else ""),
        *_order(spec, service),
        *_update(detail),
        *_placement(task.get("placement", {})),
        *_policy("Update policy", spec.get("update", {})),
        *_policy("Rollback policy", spec.get("rollback", {})),
        *_restart(task.get("restart", {})),
        *_container(task.get("container", {})),
        *_resources("Reservations", task.get("reservations", {})),
        *_resources("Limits", task.get("limits", {})),
        (0, "Networks", ", ".join(each["network"] for each in task.get("networks", ()))),
        (0, "Endpoint mode", str(spec.get("endpoint_mode", "vip"))),
        (0, "Ports", render_ports(service["ports"], mode="ingress")),
        (0, "Ports on hosts", render_ports(service["ports"], mode="host")),
        (0, "Created", render_time(service["created_at"])),
        (0, "Updated", render_time(service["updated_at"])),
    ]
    return _render(lines)


def render_node(node: NodeView) -> str:
    """A node: what it is, how it is, what it has left."""
    lines: list[Line] = [
        (0, "ID", node["id"]),
        (0, "Hostname", node["hostname"]),
        *_mapping("Labels", node["labels"]),
        (0, "Role", node["role"]),
        (0, "Joined", render_time(node["created_at"]) if node["created_at"] else ""),
        (0, "Status", ""),
        (1, "State", _with_reason(node["state"].capitalize(), node["state_message"])),
        (1, "Since", render_time(node["state_at"])),
        (1, "Availability", node["availability"].capitalize()),
        (1, "Address", node["address"]),
        (1, "Manager", node["manager_status"].capitalize()),
        (0, "Platform", "/".join(part for part in (node["os"], node["arch"]) if part)),
        (0, "Resources", ""),
        (1, "CPUs", _share(node["reserved_nano_cpus"], node["nano_cpus"], _cpus)),
        (1, "Memory", _share(node["reserved_memory_bytes"], node["memory_bytes"], _bytes)),
        (1, "Tasks", f"{node['tasks_running']} running"),
        (0, "Engine version", node["engine_version"]),
        *_mapping("Engine labels", node["engine_labels"]),
    ]
    return _render(lines)


def render_cluster(cluster: ClusterView, *, nodes: Sequence[NodeView]) -> str:
    """A cluster: its managers, and how many nodes are well."""
    ready = sum(1 for node in nodes if node["state"] == "ready")
    managers = [node for node in in_order(nodes) if node["role"] == "manager"]
    lines: list[Line] = [
        (0, "Cluster ID", cluster["cluster_id"]),
        (0, "Version", cluster["version"]),
        (0, "Leader", cluster["leader"] or cluster["leader_id"] or "none"),
        (0, "Managers", str(len(cluster["managers"]))),
        *((1, node["hostname"], _manager(node, cluster)) for node in managers),
        (0, "Nodes", f"{ready} of {len(nodes)} ready"),
        (0, "Addresses", ", ".join(cluster["addresses"])),
        (0, "Term", str(cluster["term"])),
        (0, "Log index", str(cluster["index"])),
    ]
    return _render(lines)


def _manager(node: NodeView, cluster: ClusterView) -> str:
    answers = " (answers here)" if node["id"] == cluster["manager_id"] else ""
    return f"{node['manager_status'] or node['state']}{answers}"


def _render(lines: Iterable[Line]) -> str:
    rows = list(lines)
    shown = [row for index, row in enumerate(rows) if row[2] or _has_children(rows, index)]
    width = max(indent * 2 + len(label) for indent, label, _ in shown) + 2
    return "".join(
        f"{('  ' * indent + label + ':').ljust(width)} {text}".rstrip() + "\n"
        for indent, label, text in shown
    )


def _has_children(rows: Sequence[Line], index: int) -> bool:
    indent = rows[index][0]
    for below, _, text in rows[index + 1 :]:
        if below <= indent:
            return False
        if text:
            return True
    return False


def _mapping(label: str, values: Mapping[str, str]) -> list[Line]:
    return [(0, label, ""), *((1, key, values[key] or '""') for key in sorted(values))]


def _completed(service: ServiceView) -> str:
    return f"{service['completed']} of {service['completions']}" if service["completions"] else ""


def _order(spec: Mapping[str, Any], service: ServiceView) -> list[Line]:
    waits = [(1, each["service"], _dependency(each)) for each in spec.get("depends_on", ())]
    state = "is " + service["waiting_for"] if service["waiting_for"] else ""
    return [(0, "Starts after", state), *waits]


def _dependency(dependency: Mapping[str, Any]) -> str:
    words = [dependency.get("condition", "started")]
    if dependency.get("restart", False):
        words.append("restarted with it")
    if not dependency.get("required", True):
        words.append("if it is there")
    return ", ".join(words)


def _update(detail: ServiceDetail) -> list[Line]:
    update = detail["service"]["update"]
    if update is None:
        return []
    completed = update["completed_at"]
    return [
        (0, "Update", _with_reason(update["state"].replace("_", " "), update["message"])),
        (1, "Started", render_time(update["started_at"])),
        (1, "Completed", render_time(completed) if completed else ""),
    ]


def _placement(placement: Mapping[str, Any]) -> list[Line]:
    most = placement.get("replicas_per_node_max", 0)
    return [
        (0, "Placement", ""),
        (1, "Constraints", ", ".join(placement.get("constraints", ()))),
        (1, "Spread", ", ".join(placement.get("spread", ()))),
        (1, "Most per node", str(most) if most else ""),
    ]


def _policy(label: str, policy: Mapping[str, Any]) -> list[Line]:
    # What the wire leaves out has its default, which is Swarm's.
    return [
        (0, label, ""),
        (1, "Parallelism", str(policy.get("parallelism", 1))),
        (1, "Delay", f"{policy.get('delay_seconds', 0):g} s"),
        (1, "Monitor", f"{policy.get('monitor_seconds', 5):g} s"),
        (1, "On failure", policy.get("failure_action", "pause")),
        (1, "Failure ratio", f"{policy.get('max_failure_ratio', 0):g}"),
        (1, "Order", policy.get("order", "stop-first")),
    ]


def _restart(policy: Mapping[str, Any]) -> list[Line]:
    delay = policy.get("delay_seconds")
    attempts = policy.get("attempts_max", 0)
    window = policy.get("window_seconds", 0)
    return [
        (0, "Restart policy", policy.get("condition", "any")),
        (1, "Delay", "growing while it fails" if delay is None else f"{delay:g} s"),
        (1, "Attempts", str(attempts) if attempts else "no limit"),
        (1, "Window", f"{window:g} s" if window else ""),
    ]


def _container(container: Mapping[str, Any]) -> list[Line]:
    return [
        (0, "Container", ""),
        (1, "Image", without_digest(container.get("image", ""))),
        (1, "Entrypoint", " ".join(container.get("entrypoint") or ())),
        (1, "Command", " ".join(container.get("command") or ())),
        (1, "User", container.get("user", "")),
        (1, "Environment", " ".join(container.get("environment", ()))),
        (1, "Mounts", ", ".join(_mount(mount) for mount in container.get("mounts", ()))),
        (1, "Configs", ", ".join(each["name"] for each in container.get("configs", ()))),
        (1, "Secrets", ", ".join(each["name"] for each in container.get("secrets", ()))),
    ]


def _mount(mount: Mapping[str, Any]) -> str:
    source = mount.get("source", "") or mount["kind"]
    return f"{source}:{mount['target']}{':ro' if mount.get('read_only') else ''}"


def _resources(label: str, amount: Mapping[str, int]) -> list[Line]:
    cpus, memory = amount.get("nano_cpus", 0), amount.get("memory_bytes", 0)
    pids = amount.get("pids", 0)
    return [
        (0, label, ""),
        (1, "CPUs", _cpus(cpus) if cpus else ""),
        (1, "Memory", _bytes(memory) if memory else ""),
        (1, "Processes", str(pids) if pids else ""),
    ]


def _share(reserved: int, total: int, render: Any) -> str:
    return f"{render(total)}, {render(reserved)} reserved"


def _cpus(nano_cpus: int) -> str:
    return f"{nano_cpus / _NANO:g}"


def _bytes(amount: int) -> str:
    size = float(amount)
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} {_UNITS[-1]}"


def _with_reason(text: str, reason: str) -> str:
    return f"{text} ({reason})" if reason else text
