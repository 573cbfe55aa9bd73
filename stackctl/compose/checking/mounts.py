"""Mounts whose options exclude each other, so that a container would have something else, or none.

The engine has two forms for a mount: only the short one can make a folder of the node or label it
for SELinux, and only the long one can say how far a mount reaches into what is mounted below it.
"""

from stackctl.compose.document import Document, MountUse
from stackctl.compose.problems import ProblemLog, shown
from stackctl.compose.verdicts.rules import Target
from stackctl.model.specs import MountKind

_OF_READ_ONLY = ("writable", "readonly")
_AS_USUAL = ("", "enabled")
_PRIVATE = ("", "rprivate")
_OWN_LABEL = "Z"


def check_mounts(document: Document, log: ProblemLog, target: Target | None) -> None:
    """Report options that exclude each other, and note a label that volumes of a cluster lack."""
    for service in document.services:
        for use in service.mounts:
            if use.mount.kind is MountKind.BIND:
                _check_recursion(use, log)
                if target is Target.CLUSTER:
                    _check_short_form(use, log)
            elif target is Target.CLUSTER and use.mount.selinux == _OWN_LABEL:
                log.note(
                    use.place,
                    "the label Z is as z here: engines label their volumes as shared, and a volume "
                    "is never that of one container",
                )


def _check_recursion(use: MountUse, log: ProblemLog) -> None:
    mount = use.mount
    if mount.recursive in _OF_READ_ONLY and not mount.read_only:
        log.add(
            use.place,
            f"recursive: {mount.recursive} is about mounts that are read-only",
            "add read_only: true, or remove recursive:",
        )
    elif mount.recursive == "readonly" and mount.propagation not in _PRIVATE:
        log.add(
            use.place,
            f"recursive: readonly excludes propagation: {mount.propagation}, by which mounts that "
            "can be written to may come later",
            "write propagation: rprivate",
        )


def _check_short_form(use: MountUse, log: ProblemLog) -> None:
    mount = use.mount
    if not (mount.create_source or mount.selinux):
        return
    key = "create_host_path" if mount.create_source else "selinux"
    if mount.recursive not in _AS_USUAL:
        log.add(
            use.place,
            f"recursive: {mount.recursive} excludes {key}, which the engine knows only without it",
            "remove one of the two",
        )
    for path in (mount.source, mount.target):
        if ":" in path:
            log.add(
                use.place,
                f"the engine takes no ':' in a path beside {key}, as in {shown(path)!r}",
                f"remove {key}, or use a path without ':'",
            )
