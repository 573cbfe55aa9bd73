"""Taking a lab down: everything that bears its name goes, remembered or not.

Nothing here asks what was done before. Names, cgroups and the lab's directory tell what exists,
so that a lab whose making was interrupted, whose record is damaged, or which a reboot left as
files is removed like any other.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from stackctl.errors import Conflict
from stackctl.lab import cgroups, contexts_file, links, namespaces, record, tools
from stackctl.lab import plan as planning
from stackctl.lab.record import LabRecord
from stackctl.lab.tools import LabFailure

_NODES_FOLDER = "nodes"


def down(name: str, directory: Path, report: Callable[[str], None]) -> bool:
    """Remove the lab `name`: processes, namespaces, links, rules, cgroups, files, context.

    Returns whether there was anything. Raises `Conflict` when a lab of this name lives in another
    directory, and `LabFailure` when something cannot be removed.
    """
    owner = links.bridge_owner(planning.bridge_name(name))
    if owner not in (None, planning.owner_mark(directory)):
        raise Conflict(
            f"the lab {name} is not in {directory}: it is the {owner}",
            hint="set STACKCTL_LAB_DIR to its directory",
        )
    with record.locked(directory):
        remembered = _read_if_sound(directory)
        if remembered is not None and remembered.plan.name != name:
            raise Conflict(
                f"the lab in {directory} is called {remembered.plan.name}",
                hint=f"add --name {remembered.plan.name}",
            )
        found = [_end_processes(name), _remove_network(name, remembered)]
        found.append(bool(namespaces.release_all_below(directory)))
        if remembered is not None:
            contexts_file.leave(
                contexts_file.contexts_file(), name, previous=remembered.previous_context
            )
        found.append(_remove_files(directory))
    removed = any(found)
    report(f"lab {name} is gone" if removed else f"there is no lab {name} in {directory}")
    return removed


def _read_if_sound(directory: Path) -> LabRecord | None:
    with contextlib.suppress(LabFailure):
        return record.read_lab(directory)
    return None


def _end_processes(name: str) -> bool:
    hierarchies = cgroups.read_hierarchies()
    cgroup = planning.lab_cgroup(name)
    if not any((mount / cgroup).exists() for mount in hierarchies.mounts):
        return False
    cgroups.kill(hierarchies, cgroup)
    cgroups.remove(hierarchies, cgroup)
    return True


def _remove_network(name: str, remembered: LabRecord | None) -> bool:
    own_links = links.links_like(planning.link_pattern(name))
    own_namespaces = links.namespaces_like(planning.namespace_pattern(name))
    for link in own_links:
        links.remove_link(link)
    for namespace in own_namespaces:
        links.remove_namespace(namespace)
    bridge = planning.bridge_name(name)
    had_bridge = links.bridge_owner(bridge) is not None
    links.remove_link(bridge)
    others = links.links_like(planning.ANY_BRIDGE_PATTERN)  # they need forwarding as well
    was_off = remembered is not None and remembered.machine_did_not_forward
    links.close_way_out(bridge, stop_forwarding=was_off and not others)
    return bool(own_links or own_namespaces or had_bridge)


def _remove_files(directory: Path) -> bool:
    """Remove what labs write, and the directory itself when nothing else is in it."""
    had_nodes = (directory / _NODES_FOLDER).exists()
    tools.run(
        *("rm", "-rf", "--one-file-system", str(directory / _NODES_FOLDER)), timeout_seconds=120
    )
    had_record = (directory / record.LAB_FILE).exists()
    (directory / record.LAB_FILE).unlink(missing_ok=True)
    for folder in (directory, planning.DEFAULT_DIRECTORY.parent):
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()
    return had_record or had_nodes
