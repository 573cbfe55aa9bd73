"""Mounts: `volumes` in both forms, and `tmpfs`.

Short form: `[SOURCE:]TARGET[:OPTIONS]`. A source that begins with `.`, `/` or `~` is a folder of
the node (a bind mount), any other a named volume of the file; without one the volume is
anonymous. Paths are those of Linux, so a volume may have a name of one letter, which elsewhere
reads as a Windows drive.

A bind mount's folder is made on the node only when `bind.create_host_path: true` asks for it: in a
cluster a missing folder nearly always means the wrong node. Whether the file says anything about it
is kept, because on one host the folder is made unless it says no.

A volume may be labelled for SELinux like a bind mount (`data:/data:Z`), as many public files do.
Engines label their local volumes as shared by themselves, so it is kept for printing only.
"""

import msgspec

from stackctl.compose.document import MountUse
from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.compose.grammar.quantities import parse_bytes
from stackctl.compose.problems import shown
from stackctl.compose.sections.paths import OCTAL_MODE, absolute_path, container_path, file_mode
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    byte_size,
    choice,
    filled_text,
    labels,
    one_or_more,
    text,
    word,
)
from stackctl.model.specs import Mount, MountKind

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
# Hints for Docker Desktop; on Linux they have no effect anywhere.
CONSISTENCIES = ("cached", "delegated", "consistent")
# What the engine does with every tmpfs anyway.
TMPFS_DEFAULTS = ("rw", "noexec", "nosuid", "nodev")

RECURSIONS = ("enabled", "disabled", "writable", "readonly")
SELINUX_LABELS = ("z", "Z")

_SHORT_OPTIONS = ("ro", "rw", "nocopy", *PROPAGATIONS, *CONSISTENCIES, *SELINUX_LABELS)
_TMPFS_FLAGS = ("exec", "suid", "dev", "noatime", "nodiratime", "relatime", "strictatime", "sync")
_TMPFS_NUMBERS = ("uid", "gid", "nr_inodes", "nr_blocks")
_COUNT_DIGITS_MAX = 10
_NEEDS_SOURCE = {
    MountKind.BIND: ("a bind mount needs a source", "add source: and a folder of the node"),
    MountKind.IMAGE: ("an image mount needs a source", "add source: and the image's name"),
    MountKind.CLUSTER: ("a cluster volume needs a source", "add source: and the volume's key"),
    MountKind.NPIPE: ("a named pipe needs a source", "add source: and the pipe's path"),
}


def read_volumes(value: Value) -> tuple[MountUse, ...]:
    """The mounts under `volumes`."""
    uses = (
        _long(item) if item.is_mapping() else _short(item)
        for item in value.items("a list of mounts")
    )
    return tuple(use for use in uses if use is not None)


def read_tmpfs(value: Value) -> tuple[MountUse, ...]:
    """The mounts under `tmpfs`: PATH[:OPTIONS], one or a list."""
    return tuple(_tmpfs(item, text(item)) for item in one_or_more(value))


def _short(item: Value) -> MountUse | None:
    written = text(item)
    if not written:
        if item.written == "":
            item.problem("is empty")
        return None
    parts = written.split(":")
    if len(parts) > 3:
        item.problem(f"too many colons in {shown(written)!r}", "write SOURCE:TARGET[:OPTIONS]")
        return None
    if not all(parts):
        item.problem(f"an empty part between colons in {shown(written)!r}")
        return None
    if len(parts) == 1:
        mount = Mount(kind=MountKind.VOLUME, target=container_path(item, written))
        return MountUse(mount, item.place)
    source, target = parts[0], container_path(item, parts[1])
    options = parts[2].split(",") if len(parts) == 3 else []
    consistency = next((option for option in options if option in CONSISTENCIES), "")
    if source[0] in "./~":
        mount = _short_bind(item, source, target, options)
        return MountUse(mount, item.place, consistency=consistency)
    mount = _short_volume(item, target, options)
    return MountUse(mount, item.place, source, consistency=consistency)


def _short_bind(item: Value, source: str, target: str, options: list[str]) -> Mount:
    _check_options(item, options, without="nocopy", kind="a bind mount")
    return Mount(
        kind=MountKind.BIND,
        source=_bind_source(item, source),
        target=target,
        read_only="ro" in options,
        propagation=next((option for option in options if option in PROPAGATIONS), ""),
        selinux=_label(options),
    )


def _label(options: list[str]) -> str:
    return next((option for option in options if option in SELINUX_LABELS), "")


def _short_volume(item: Value, target: str, options: list[str]) -> Mount:
    _check_options(item, options, without=PROPAGATIONS, kind="a volume")
    return Mount(
        kind=MountKind.VOLUME,
        target=target,
        read_only="ro" in options,
        no_copy="nocopy" in options,
        selinux=_label(options),
    )


def _check_options(
    item: Value, options: list[str], *, without: str | tuple[str, ...], kind: str
) -> None:
    for option in options:
        if option in without:
            item.problem(f"option {option} does not fit {kind}")
        elif option not in _SHORT_OPTIONS:
            hint = item.reading.log.near(option, _SHORT_OPTIONS)
            item.problem(f"unknown option {shown(option)!r}", hint)
    if "ro" in options and "rw" in options:
        item.problem("ro and rw exclude each other")


def _bind_source(value: Value, source: str) -> str:
    try:
        return absolute_path(source, value.reading)
    except ValueError as error:
        value.problem(str(error))
        return "/"


def _long(item: Value) -> MountUse | None:
    fields = Fields(item)
    kind_value = fields.get("type")
    source_value = fields.get("source")
    target_value = fields.get("target")
    read_only = fields.read("read_only", boolean, False)
    blocks = {kind.value: fields.get(kind.value) for kind in MountKind}
    consistency = fields.read("consistency", text, "")
    fields.finish()
    if kind_value is None:
        item.problem("no type is given", "add type: bind, volume or tmpfs")
        return None
    kind = choice(MountKind, MountKind.VOLUME)(kind_value)
    if kind_value.written != kind:
        return None  # reported: nothing can be said about the other keys
    label = _label_beside(kind, blocks)
    if target_value is None:
        item.problem("no target is given", "add target: and the path in the container")
        return None
    target = container_path(target_value, text(target_value))
    mount = Mount(kind=kind, target=target, read_only=read_only, selinux=label)
    create_host_path: bool | None = None
    own_block = blocks[kind.value]
    if own_block is not None:
        block_fields = Fields(own_block)
        if kind is MountKind.BIND:
            create_host_path = block_fields.read("create_host_path", boolean, None)
        mount = _with_block(mount, block_fields)
        mount = msgspec.structs.replace(mount, create_source=bool(create_host_path))
    use = _with_source(item, mount, source_value)
    if use is None:
        return None
    return msgspec.structs.replace(use, create_host_path=create_host_path, consistency=consistency)


def _label_beside(kind: MountKind, blocks: dict[str, Value | None]) -> str:
    """Report the blocks of other kinds than the mount's; the label that a volume has there."""
    label = ""
    for name, block in blocks.items():
        if block is None or name == kind.value:
            continue
        keys = set(block.entries()) if block.is_mapping() else set()
        if (kind, name) == (MountKind.VOLUME, MountKind.BIND.value) and keys == {"selinux"}:
            label = Fields(block).read("selinux", word(SELINUX_LABELS), "")
        else:
            block.problem(f"does not fit type {kind.value}", f"remove {name}:")
    return label


def _with_block(mount: Mount, fields: Fields) -> Mount:
    """The mount with what the block of its kind says."""
    if mount.kind is MountKind.BIND:
        mount = msgspec.structs.replace(
            mount,
            propagation=fields.read("propagation", word(PROPAGATIONS), ""),
            recursive=fields.read("recursive", word(RECURSIONS), ""),
            selinux=fields.read("selinux", word(SELINUX_LABELS), ""),
        )
    elif mount.kind is MountKind.VOLUME:
        mount = msgspec.structs.replace(
            mount,
            no_copy=fields.read("nocopy", boolean, False),
            subpath=fields.read("subpath", filled_text, ""),
            volume_labels=fields.read("labels", labels, {}),
        )
    elif mount.kind is MountKind.TMPFS:
        mount = msgspec.structs.replace(
            mount,
            tmpfs_size_bytes=fields.read("size", byte_size, 0),
            tmpfs_mode=fields.read("mode", file_mode, 0),
        )
    elif mount.kind is MountKind.IMAGE:
        mount = msgspec.structs.replace(mount, subpath=fields.read("subpath", filled_text, ""))
    fields.finish()
    return mount


def _with_source(item: Value, mount: Mount, value: Value | None) -> MountUse | None:
    if mount.kind is MountKind.TMPFS:
        if value is not None:
            value.problem("a tmpfs has no source", "remove source:")
        return MountUse(mount, item.place)
    source = None if value is None else filled_text(value)
    if mount.kind is MountKind.VOLUME:
        return MountUse(mount, item.place if value is None else value.place, source)
    if value is None or not source:
        item.problem(*_NEEDS_SOURCE[mount.kind])
        return None
    if mount.kind is MountKind.CLUSTER:
        return MountUse(mount, value.place, source)
    if mount.kind is MountKind.IMAGE:
        complaint = image_complaint(source)
        if complaint:
            value.problem(f"invalid image reference {shown(source)!r}: {complaint}")
    if mount.kind is MountKind.BIND:
        source = _bind_source(value, source)
    return MountUse(msgspec.structs.replace(mount, source=source), item.place)


def _tmpfs(value: Value, written: str) -> MountUse:
    """One PATH[:OPTIONS]; the options are those of mount(8)."""
    path, _, options = written.partition(":")
    mount = Mount(kind=MountKind.TMPFS, target=container_path(value, path))
    for option in filter(None, options.split(",")):
        name, _, content = option.partition("=")
        if name == "size":
            mount = msgspec.structs.replace(mount, tmpfs_size_bytes=_tmpfs_size(value, content))
        elif name == "mode" and OCTAL_MODE.fullmatch(content):
            mount = msgspec.structs.replace(mount, tmpfs_mode=int(content, 8))
        elif option == "ro":
            mount = msgspec.structs.replace(mount, read_only=True)
        elif option in _TMPFS_FLAGS or (name in _TMPFS_NUMBERS and _is_count(content)):
            others = {*mount.tmpfs_options, option}
            mount = msgspec.structs.replace(mount, tmpfs_options=tuple(sorted(others)))
        elif option not in TMPFS_DEFAULTS:
            known = [*_TMPFS_FLAGS, *TMPFS_DEFAULTS, *(f"{number}=" for number in _TMPFS_NUMBERS)]
            value.problem(
                f"unknown option {shown(option)!r} of a tmpfs",
                value.reading.log.near(option, known)
                or f"there are size=, mode=, ro, {', '.join(known)}",
            )
    return MountUse(mount, value.place)


def _is_count(content: str) -> bool:
    return content.isascii() and content.isdecimal() and len(content) <= _COUNT_DIGITS_MAX


def _tmpfs_size(value: Value, content: str) -> int:
    try:
        return parse_bytes(content)
    except ValueError as error:
        value.problem(f"size {shown(content)!r}: {error}")
        return 0
