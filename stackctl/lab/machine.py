"""Whether this machine can hold a lab, and what to install where it cannot.

Programs are looked for, kernel features are tried in a network namespace that nobody sees: a
list of loaded modules says neither what is built in nor what can be loaded.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stackctl.errors import UnfitMachine
from stackctl.lab import cgroups, tools

_PACKAGES = {
    "dockerd": "docker.io",
    "containerd": "docker.io",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "mount": "mount",
}
_LINK_KINDS = ("bridge", "veth", "vxlan")


class Findings(msgspec.Struct, frozen=True):
    """What a lab needs and this machine lacks."""

    is_root: bool = True
    programs: tuple[str, ...] = ()
    kernel_features: tuple[str, ...] = ()


def require_fit() -> None:
    """Raises `UnfitMachine` with everything that is missing at once."""
    refusal = explain(probe())
    if refusal is not None:
        raise refusal


def require_root() -> None:
    """Raises `UnfitMachine` for anybody else: what is done to a lab is done to this machine."""
    refusal = explain(Findings(is_root=os.geteuid() == 0))
    if refusal is not None:
        raise refusal


def probe() -> Findings:
    """Look at this machine; the kernel is asked only when rights and programs suffice to ask."""
    programs = tuple(program for program in _PACKAGES if tools.find(program) is None)
    is_root = os.geteuid() == 0
    if programs or not is_root:
        return Findings(is_root=is_root, programs=programs)
    features = [f"{kind} links" for kind in _LINK_KINDS if not _can_link(kind)]
    if not tools.succeeds("unshare", "--net", "nft", "add table ip t"):
        features.append("nf_tables")
    if not _has_overlayfs():
        features.append("overlayfs")
    if cgroups.parse_hierarchies(Path("/proc/mounts").read_text()) is None:
        features.append("a cgroup freezer (cgroups must be mounted below /sys/fs/cgroup)")
    return Findings(kernel_features=tuple(features))


def explain(findings: Findings) -> UnfitMachine | None:
    """The refusal for these findings; None when nothing is missing."""
    reasons, hints = [], []
    if findings.programs:
        packages = sorted({_PACKAGES[program] for program in findings.programs})
        reasons.append(f"{_listed(findings.programs)} not installed")
        hints.append(f"apt-get install {' '.join(packages)}")
    if findings.kernel_features:
        reasons.append(f"the kernel offers no {_listed(findings.kernel_features)}")
        hints.append("a virtual machine with a distribution's own kernel has them")
    if not findings.is_root:
        reasons.append("only root can work on namespaces and engines")
        hints.append("run the same command with sudo")
    if not reasons:
        return None
    return UnfitMachine(f"no lab here: {'; '.join(reasons)}", hint="; ".join(hints))


def _can_link(kind: str) -> bool:
    options = {"vxlan": ("id", "1", "dstport", "4789")}.get(kind, ())
    return tools.succeeds("unshare", "--net", "ip", "link", "add", "t0", "type", kind, *options)


def _has_overlayfs() -> bool:
    def is_listed() -> bool:
        return "\toverlay\n" in Path("/proc/filesystems").read_text()

    return is_listed() or (
        tools.find("modprobe") is not None and tools.succeeds("modprobe", "overlay") and is_listed()
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
