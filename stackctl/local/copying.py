"""Files between this machine and containers: `cp`.

Both directions are tar streams. What a name means depends on what is there (`cp a b` makes b, or
b/a when b is a folder), so each side is looked at before anything is sent: the rules are those of
the `cp` program and of `docker cp`.
"""

import base64
import copy
import io
import json
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from stackctl.errors import InputError, StackctlError
from stackctl.local.building.context_tar import (
    Entry,
    end_of_stream,
    stream_entry,
    walk,
)
from stackctl.local.building.ignore_patterns import IgnorePatterns
from stackctl.local.engine.client import Engine, with_query
from stackctl.local.engine.http import Request, send
from stackctl.local.failures import EngineRefusal

_GO_FOLDER = 1 << 31
_GO_LINK = 1 << 27
_LINKS_MAX = 16


class CopyOptions(NamedTuple):
    """`keeps_owner` is for numbers of users that mean the same on both sides."""

    keeps_owner: bool = False
    follows_link: bool = False


class Found(NamedTuple):
    """A path in a container."""

    path: str
    is_folder: bool


def find_in_container(engine: Engine, container_id: str, path: str) -> Found | None:
    """What a path of a container is, links followed; None when nothing is there."""
    for _ in range(_LINKS_MAX):
        target = with_query(f"/containers/{container_id}/archive", {"path": path})
        # Not `open`: a refusal of HEAD has no body in which the engine could say why.
        with send(engine.endpoint, Request("HEAD", target)) as answer:
            if answer.status == 404:
                return None
            if answer.status >= 400:
                raise EngineRefusal(f"the engine cannot look at {path}", status=answer.status)
            described = answer.headers.get("x-docker-container-path-stat", "")
        found = json.loads(base64.b64decode(described))
        if not found["mode"] & _GO_LINK:
            return Found(path, bool(found["mode"] & _GO_FOLDER))
        path = posixpath.join(posixpath.dirname(path), found["linkTarget"])
    raise InputError(f"{path} in the container leads round in a ring of links")


def copy_in(
    engine: Engine,
    container_id: str,
    source: Path,
    target: str,
    options: CopyOptions,
    *,
    is_content_alone: bool = False,
) -> None:
    """Copy a file or folder of this machine into a container, or a folder's content alone.

    Raises InputError, EngineRefusal.
    """
    if not source.exists() and not source.is_symlink():
        raise InputError(f"{source} does not exist")
    wanted = posixpath.join("/", target)
    found = find_in_container(engine, container_id, wanted)
    if found and found.is_folder:
        folder, name = found.path, "" if is_content_alone else source.resolve().name
    elif found and source.is_dir():
        raise InputError(f"cannot copy folder {source} onto the file {target}")
    else:
        folder, name = posixpath.split((found.path if found else wanted).rstrip("/"))
        if not found and wanted.endswith("/") and not source.is_dir():
            raise InputError(f"there is no folder {target} in the container")
    send_stream(engine, container_id, folder, _stream(source, name, options), options)


def send_stream(
    engine: Engine, container_id: str, folder: str, stream: Iterable[bytes], options: CopyOptions
) -> None:
    """Unpack a tar stream in a folder of a container."""
    query = {"path": folder, "noOverwriteDirNonDir": True, "copyUIDGID": options.keeps_owner}
    path = with_query(f"/containers/{container_id}/archive", query)
    request = Request("PUT", path, stream, "application/x-tar", timeout_seconds=None)
    try:
        engine.open(request).read()
    except EngineRefusal as refusal:
        if refusal.is_not_found and "no such container" not in refusal.message.lower():
            raise InputError(f"there is no folder {folder} in the container") from refusal
        raise


def _stream(source: Path, name: str, options: CopyOptions) -> Iterator[bytes]:
    top = source.resolve() if options.follows_link else source
    is_folder = top.is_dir() and not top.is_symlink()
    if not is_folder:
        yield from stream_entry(Entry(name, top), keeps_owner=options.keeps_owner)
    else:
        if name:
            yield from stream_entry(Entry(name, top), keeps_owner=options.keeps_owner)
        for entry in walk(top, IgnorePatterns(())):
            placed = Entry(posixpath.join(name, entry.name), entry.path)
            yield from stream_entry(placed, keeps_owner=options.keeps_owner)
    yield end_of_stream()


def fetch_stream(engine: Engine, container_id: str, source: str) -> Iterator[bytes]:
    """A path of a container as a tar stream, for `cp web:/path -`. Raises InputError."""
    try:
        answer = engine.stream("GET", f"/containers/{container_id}/archive", {"path": source})
    except EngineRefusal as refusal:
        if refusal.is_not_found:
            raise InputError(f"there is no {source} in the container") from refusal
        raise
    with answer:
        yield from answer.pieces()


def copy_out(
    engine: Engine, container_id: str, source: str, target: Path, options: CopyOptions
) -> None:
    """Copy a path of a container to this machine. Raises InputError, StackctlError."""
    wanted = posixpath.join("/", source)
    if options.follows_link:
        found = find_in_container(engine, container_id, wanted)
        wanted = found.path if found else wanted
    stream = _Pieces(fetch_stream(engine, container_id, wanted))
    is_content_alone = source.endswith("/.")
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            archive.extraction_filter = lambda member, _folder: member  # `_placed` has looked
            _unpack(archive, target, is_content_alone=is_content_alone, options=options)
    except (OSError, tarfile.TarError) as error:
        raise StackctlError(f"cannot write {target}: {error}") from error


def _unpack(
    archive: tarfile.TarFile, target: Path, *, is_content_alone: bool, options: CopyOptions
) -> None:
    top = ""
    for member in archive:
        first, _, rest = member.name.partition("/")
        if not top:
            top = first
            target = _target(member, target, is_content_alone=is_content_alone)
        name = posixpath.join(target.name, rest)
        placed = _placed(member, name.rstrip("/"), target, options)
        archive.extract(placed, target.parent, numeric_owner=True, set_attrs=True)


def _placed(
    member: tarfile.TarInfo, name: str, target: Path, options: CopyOptions
) -> tarfile.TarInfo:
    """An entry as it is to be written; raises StackctlError for one that would lie elsewhere.

    The library's own filters are not used: Debian 12 has a Python that lacks them.
    """
    placed = copy.copy(member)
    placed.name = name
    if not stat.S_IMODE(placed.mode) & 0o700:
        placed.mode |= 0o600
    if placed.islnk():
        placed.linkname = posixpath.join(target.name, placed.linkname.partition("/")[2])
    if not options.keeps_owner:
        placed.mode &= 0o755  # as tar does for users: no other rights than the owner's to write
    root = os.path.realpath(target.parent)
    if os.path.commonpath([root, os.path.realpath(target.parent / name)]) != root:
        raise StackctlError(f"cannot write {name}: it would lie outside of {target.parent}")
    return placed


def _target(member: tarfile.TarInfo, target: Path, *, is_content_alone: bool) -> Path:
    """Where the first entry of a stream goes."""
    if target.is_dir():
        name = posixpath.basename(member.name.rstrip("/"))
        return target.resolve() if is_content_alone else target.resolve() / name
    if target.exists() and member.isdir():
        raise InputError(f"cannot copy a folder onto the file {target}")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}")
    return target.absolute()


class _Pieces(io.RawIOBase):
    """Pieces as a file, for tarfile."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        found = bytearray(self._rest)
        while size < 0 or len(found) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            found += piece
        end = len(found) if size < 0 else size
        self._rest = bytes(found[end:])
        return bytes(found[:end])
