"""One node of the lab as a machine: powered on, its engine and daemons started, powered off.

Powering off forgets everything that a real machine would forget without power: processes,
network, mounts, `/run`. What is left is the node's directory, which is its disk.
"""

import time
from collections.abc import Callable

import msgspec

from stackctl.errors import Conflict
from stackctl.lab import cgroups, links, namespaces, processes, record, tools, unix_http
from stackctl.lab import plan as planning
from stackctl.lab.cgroups import Hierarchies
from stackctl.lab.plan import DaemonName, LabPlan, NodePlan
from stackctl.lab.processes import ProcessIdentity
from stackctl.lab.tools import LabFailure

_ENGINE_START_SECONDS = 60
_ENGINE_STOP_SECONDS = 30  # engines give containers ten seconds, all at once
_DAEMON_STOP_SECONDS = 10
_PERIOD_SECONDS = 0.02

# An engine that was killed takes its containerd along and leaves a file with its number. The next
# engine trusts that number as long as a process bears it, be it a dead one that nobody has
# collected yet, and then waits in vain for containerd's socket.
_FORGET_DEAD_CONTAINERD_SCRIPT = """
file=/run/docker/containerd/containerd.pid
number=$(cat "$file" 2>/dev/null) || exit 0
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  case $(sed -n 's/^Name:[[:space:]]*//p; s/^State:[[:space:]]*//p' \
      "/proc/$number/status" 2>/dev/null | tr '\n' ' ') in
    "containerd "[!ZX]*) sleep 0.05 ;;
    *) rm -f "$file"; exit 0 ;;
  esac
done
"""


def power_on(plan: LabPlan, node: NodePlan, hierarchies: Hierarchies) -> None:
    """Give the node its network, its namespaces and its cgroup, as far as they are missing.

    A node of which a part was taken away is powered off first: what still runs there would keep
    the old part alive, unseen.
    """
    if not is_powered(node):
        power_off(node, hierarchies)
        links.ensure_node_network(plan, node)
        namespaces.ensure_pins(plan, node)
    cgroups.create(hierarchies, node.daemons_cgroup)


def is_powered(node: NodePlan) -> bool:
    pins = (node.network_pin, node.mount_pin, node.name_pin)
    return all(namespaces.is_pinned(pin) for pin in pins) and links.has_link(node)


def power_off(node: NodePlan, hierarchies: Hierarchies) -> None:
    """End everything on the node at once, and with it all that lives in memory."""
    cgroups.kill(hierarchies, node.cgroup)
    cgroups.remove(hierarchies, node.cgroup)
    links.remove_node_network(node)
    namespaces.release_pins(node)
    for daemon in planning.DAEMONS:
        record.remember_process(node, daemon, None)


def shut_down(plan: LabPlan, node: NodePlan, hierarchies: Hierarchies) -> None:
    """Ask everything on the node to end, in the reverse order of starting; then power off."""
    for daemon in reversed(plan.daemons(node)):
        stop_daemon(node, daemon)
    power_off(node, hierarchies)


def start_engine(node: NodePlan, hierarchies: Hierarchies) -> None:
    """Start the node's engine if it does not run, and wait until it answers."""
    if running(node, "engine") is None:
        settings = msgspec.json.format(msgspec.json.encode(planning.engine_settings(node)))
        node.engine_settings_file.write_bytes(settings)
        # The number in it may meanwhile belong to another process, which engines take for a rival.
        (node.directory / "engine.pid").unlink(missing_ok=True)
        tools.run(*planning.enter_command(node), "sh", "-c", _FORGET_DEAD_CONTAINERD_SCRIPT)
        launch(node, "engine", planning.engine_command(node), hierarchies)
    wait_for(
        node,
        "engine",
        lambda: unix_http.engine_answers(node.engine_socket),
        timeout_seconds=_ENGINE_START_SECONDS,
    )


def launch(
    node: NodePlan, daemon: DaemonName, command: list[str], hierarchies: Hierarchies
) -> None:
    """Start one daemon in the node's namespaces and cgroup, and remember it."""
    identity = processes.launch(
        [*planning.enter_command(node), *command],
        log_file=node.log_file(daemon),
        cgroup_file=cgroups.create(hierarchies, node.daemons_cgroup),
    )
    record.remember_process(node, daemon, identity)


def running(node: NodePlan, daemon: DaemonName) -> ProcessIdentity | None:
    """The daemon's process, if it was started and still runs."""
    identity = record.read_daemon(node, daemon).process
    return identity if identity is not None and processes.is_alive(identity) else None


def stop_daemon(node: NodePlan, daemon: DaemonName) -> None:
    """Ask a daemon to end and wait for it; one that does not is killed."""
    identity = running(node, daemon)
    if identity is not None:
        grace = _ENGINE_STOP_SECONDS if daemon == "engine" else _DAEMON_STOP_SECONDS
        processes.end(identity, grace_seconds=grace)


def kill_daemon(node: NodePlan, daemon: DaemonName) -> None:
    """End a daemon without asking; raises `Conflict` when it does not run."""
    identity = running(node, daemon)
    if identity is None:
        raise Conflict(
            f"the {daemon} of {node.name} does not run", hint=f"stackctl lab start {node.name}"
        )
    processes.end(identity, grace_seconds=0)


def wait_for(
    node: NodePlan, daemon: DaemonName, is_ready: Callable[[], bool], *, timeout_seconds: float
) -> None:
    """Wait until a running daemon is ready.

    Raises `LabFailure` with the end of its log when it ends instead, or takes too long.
    """
    deadline = time.monotonic() + timeout_seconds
    log_file = node.log_file(daemon)
    while not is_ready():
        if running(node, daemon) is None:
            raise LabFailure(
                f"the {daemon} of {node.name} ended:{processes.last_lines(log_file)}",
                hint=f"read {log_file}",
            )
        if time.monotonic() > deadline:
            raise LabFailure(
                f"the {daemon} of {node.name} was not ready within {timeout_seconds:g} s:"
                f"{processes.last_lines(log_file)}",
                hint=f"read {log_file}",
            )
        time.sleep(_PERIOD_SECONDS)
