"""What a service's containers find in their file system: mounts, and files that are copied in.

A config or secret that is a file of this machine is mounted, so that its changes are seen inside;
one with an owner or mode of its own, or without a file, is copied into the container before it
starts.
"""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from stackctl.compose.document import Document, MountUse, Service
from stackctl.compose.parts.attachments import FileUse
from stackctl.compose.parts.objects import FileObject
from stackctl.local.observed import Container
from stackctl.model import engine_body, specs

Body = dict[str, Any]
_MODE = 0o444
API_CREATE_MOUNTPOINT = (1, 42)
SOCKET_IN_CONTAINER = "/var/run/docker.sock"


class CopiedFile(NamedTuple):
    """A file to put into a container. What it contains is never printed."""

    target: str
    content: bytes
    uid: int
    gid: int
    mode: int

    def __repr__(self) -> str:
        return f"CopiedFile(target={self.target!r}, …)"


class FileSystem(NamedTuple):
    """The parts of a container's body, and the files to copy."""

    mounts: tuple[Body, ...]
    binds: tuple[str, ...]
    tmpfs: Mapping[str, str]
    copied: tuple[CopiedFile, ...]


def file_system(
    document: Document,
    service: Service,
    api_version: tuple[int, int],
    *,
    inherited: Mapping[str, str],
    engine_socket: str = "",
) -> FileSystem:
    """What the container gets; `inherited` are volumes of its predecessor by where they were.

    Raises PermanentFailure for what the engine is too old for.
    """
    mounts: list[Body] = []
    binds: list[str] = []
    tmpfs: dict[str, str] = {}
    for use in service.mounts:
        mount = use.mount
        if mount.tmpfs_options:
            tmpfs[mount.target] = engine_body.tmpfs_options(mount)
        elif _is_short(use):
            binds.append(engine_body.short_bind(mount, mount.source, mount.target))
        else:
            mounts.append(_long(document, use, api_version, inherited))
    stated = {use.mount.target for use in service.mounts}
    mounts += [
        {"Type": "volume", "Source": name, "Target": target}
        for target, name in sorted(inherited.items())
        if target not in stated
    ]
    if service.use_api_socket and engine_socket:
        mounts.append({"Type": "bind", "Source": engine_socket, "Target": SOCKET_IN_CONTAINER})
    files = _files(document, service)
    mounts += [
        {"Type": "bind", "Source": found.file, "Target": file.target, "ReadOnly": True}
        for file, found in files
        if is_mounted(file, found)
    ]
    copied = [_copied(file, found) for file, found in files if not is_mounted(file, found)]
    return FileSystem(tuple(mounts), tuple(binds), tmpfs, tuple(copied))


def contents_digest(document: Document, service: Service) -> str:
    """What is copied into the containers of a service, as one short text; "" is nothing."""
    copied = [
        _copied(use, found)
        for use, found in _files(document, service)
        if not is_mounted(use, found)
    ]
    if not copied:
        return ""
    return hashlib.sha256(archive_of(tuple(copied))).hexdigest()


def _files(document: Document, service: Service) -> list[tuple[FileUse, FileObject]]:
    return [
        *((use, document.configs[use.key]) for use in service.configs),
        *((use, document.secrets[use.key]) for use in service.secrets),
    ]


def inherited_volumes(
    service: Service, old: Container, image_volumes: frozenset[str]
) -> dict[str, str]:
    """The anonymous volumes of a container that its successor takes over, by their targets."""
    named = {use.mount.target for use in service.mounts if use.volume_key is not None}
    anonymous = image_volumes | {
        use.mount.target
        for use in service.mounts
        if use.mount.kind is specs.MountKind.VOLUME and use.volume_key is None
    }
    others = {
        use.mount.target
        for use in service.mounts
        if use.mount.kind is not specs.MountKind.VOLUME or use.volume_key is not None
    }
    return {
        mount.target: mount.name
        for mount in old.mounts
        if mount.kind == "volume" and mount.target in anonymous - others - named
    }


def archive_of(files: tuple[CopiedFile, ...]) -> bytes:
    """A tar archive to be unpacked at the root of a container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            header = tarfile.TarInfo(file.target.lstrip("/"))
            header.size = len(file.content)
            header.mode, header.uid, header.gid = file.mode, file.uid, file.gid
            archive.addfile(header, io.BytesIO(file.content))
    return buffer.getvalue()


def is_mounted(use: FileUse, found: FileObject) -> bool:
    """Whether a config or secret is mounted, and not copied."""
    return bool(found.file) and (use.uid, use.gid, use.mode) == ("0", "0", _MODE)


def _is_short(use: MountUse) -> bool:
    mount = use.mount
    if mount.kind is not specs.MountKind.BIND:
        return False
    if mount.selinux:
        return True
    plain = ":" not in mount.source + mount.target and mount.recursive in ("", "enabled")
    return use.create_host_path is not False and plain


def _long(
    document: Document, use: MountUse, api_version: tuple[int, int], inherited: Mapping[str, str]
) -> Body:
    mount = use.mount
    source = mount.source
    if mount.kind is specs.MountKind.VOLUME:
        volume = document.volumes.get(use.volume_key or "")
        source = volume.name if volume else inherited.get(mount.target, "")
    body = engine_body.mount_body(mount, source, mount.target, api_version)
    creates = use.create_host_path is not False and api_version >= API_CREATE_MOUNTPOINT
    if mount.kind is specs.MountKind.BIND and creates:
        body.setdefault("BindOptions", {})["CreateMountpoint"] = True
    return body


def _copied(use: FileUse, found: FileObject) -> CopiedFile:
    uid, gid = (int(text) if text.isdigit() else 0 for text in (use.uid, use.gid))
    return CopiedFile(use.target, found.data or b"", uid, gid, use.mode)
