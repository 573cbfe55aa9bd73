"""The namespaces of a node that hold its mounts and its host name, pinned to files.

Pins outlive processes, so a node whose engine was killed is still the same node; dropping the pins
is the moment at which everything that lives in memory is lost, as with a machine's power. All
mounts made inside (layers of containers, secrets) end with the namespace; none has to be found
and unmounted.

What a node sees of its own: `/run` (empty at the start: sockets, locks, WireGuard's control files,
no system bus through which an engine would change the machine's firewall), `/etc` and `/opt` (the
machine's, with the node's changes on top, kept in memory), and `/sys` (of its own network, with
the machine's cgroups). Processes are the machine's: numbers mean the same inside and outside.

`ip netns exec` is not used: it hides the cgroups from what it starts.
"""

import contextlib
from pathlib import Path

from stackctl.lab import plan as planning
from stackctl.lab import tools
from stackctl.lab.plan import LabPlan, NodePlan

# Mounts that the machine has below /sys and that engines need (cgroups, AppArmor's profiles).
_KEPT_BELOW_SYS = ("fs/cgroup", "fs/bpf", "kernel/security")

_SETUP_SCRIPT = """
set -e
name=$1; files=$2
hostname "$name"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/docker /run/node/sys
chmod 1777 /run/lock
for tree in etc opt; do
  test -d "/$tree" || continue
  mkdir "/run/node/$tree" "/run/node/$tree.work"
  mount -t overlay -o "lowerdir=/$tree,upperdir=/run/node/$tree,workdir=/run/node/$tree.work" \
    overlay "/$tree"
done
mount --rbind /sys /run/node/sys
mount -t sysfs sysfs /sys
for mount in KEPT; do
  if mountpoint -q "/run/node/sys/$mount"; then
    mount --rbind "/run/node/sys/$mount" "/sys/$mount"
  fi
done
umount -l /run/node/sys
rm -f /etc/docker/key.json  # the machine's engine made it; two engines with it have one identity
for file in "$files"/*; do
  rm -f "/etc/${file##*/}"
  cp "$file" /etc/
done
""".replace("KEPT", " ".join(_KEPT_BELOW_SYS))


def ensure_pins(plan: LabPlan, node: NodePlan) -> bool:
    """Create the node's namespaces if they are not there; returns whether they had to be.

    Its network namespace must exist. Raises `LabFailure`.
    """
    if is_pinned(node.mount_pin) and is_pinned(node.name_pin):
        return False
    release_pins(node)
    folder = node.mount_pin.parent
    folder.mkdir(parents=True, exist_ok=True)
    # The kernel refuses to pin a mount namespace inside a mount that propagates.
    tools.run("mount", "--bind", str(folder), str(folder))
    tools.run("mount", "--make-private", str(folder))
    for pin in (node.mount_pin, node.name_pin):
        pin.touch()
    files = _write_etc_files(plan, node)
    tools.run(
        *("nsenter", f"--net={node.network_pin}"),
        *("unshare", f"--mount={node.mount_pin}", f"--uts={node.name_pin}"),
        *("--propagation", "slave", "sh", "-c", _SETUP_SCRIPT, "sh", node.name, str(files)),
    )
    return True


def release_pins(node: NodePlan) -> None:
    """Let go of the node's namespaces; they end when no process is left in them."""
    folder = node.mount_pin.parent
    for pin in (node.mount_pin, node.name_pin):
        while is_pinned(pin):
            tools.run("umount", str(pin))
        pin.unlink(missing_ok=True)
    while folder.exists() and _is_mount(folder):
        tools.run("umount", str(folder))


def release_all_below(directory: Path) -> list[Path]:
    """Unmount every pin in `directory`, whoever made it; returns what was unmounted."""
    below = [mount for mount in _mounts() if mount.is_relative_to(directory.resolve())]
    for mount in reversed(below):
        tools.run("umount", str(mount))
    return below


def is_pinned(pin: Path) -> bool:
    """Whether a namespace is held by `pin`: after a reboot the file is there and holds nothing."""
    with contextlib.suppress(FileNotFoundError):
        return pin.stat().st_dev != pin.parent.stat().st_dev
    return False


def _is_mount(path: Path) -> bool:
    """Whether something is mounted at `path`, also when it is a folder bound to itself."""
    return path.resolve() in _mounts()


def _mounts() -> list[Path]:
    """Every mount point, in the order of mounting."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [Path(_unescaped(line.split()[4])) for line in mounts]


def _unescaped(field: str) -> str:
    """The kernel writes blanks and backslashes of a path in octal."""
    return field.encode().decode("unicode_escape").encode("latin-1").decode()


def _write_etc_files(plan: LabPlan, node: NodePlan) -> Path:
    folder = node.directory / "etc"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hostname").write_text(f"{node.name}\n")
    (folder / "hosts").write_text(planning.hosts_file(plan))
    sources = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
    resolver = planning.resolver_file([s.read_text() for s in sources if s.is_file()])
    if resolver:
        (folder / "resolv.conf").write_text(resolver)
    return folder
