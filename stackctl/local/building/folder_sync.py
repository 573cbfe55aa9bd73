"""Folders that BuildKit fetches in a session: what is in them first, then the files it lacks.

Terms of BuildKit: a *stat* describes one entry; entries are counted from 0 in the order in which
they are sent, and a file is asked for by its number. The numbers of fields, kinds of packets and
bits of modes are those of its definitions. Which paths BuildKit wants is not looked at, but for
one: what is ignored is left out here already, and more than it wants does no harm.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from stackctl.errors import InputError
from stackctl.local.building.context_tar import IGNORE_FILE, Entry, walk
from stackctl.local.building.dockerfile import ApartDockerfile
from stackctl.local.building.grpc_connection import Call, CallRefused, Handler, Status
from stackctl.local.building.protobuf import Message, encode

_STAT, _REQUEST, _DATA, _FINISHED, _ERROR = range(5)
_TYPE, _STAT_OF, _ID, _CONTENT = 1, 2, 3, 4
_PIECE_BYTES = 32 * 1024

_GO_TYPES = {
    stat.S_IFREG: 0,
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


class _Item(NamedTuple):
    """One entry: its stat, and its content where it is a file."""

    stat: bytes
    pieces: Callable[[], Iterator[bytes]] | None


def folder_services(sent: ApartDockerfile) -> dict[str, Handler]:
    """Handlers by the paths of their methods: the context, and the Dockerfile beside it."""

    def handle(call: Call) -> None:
        name = call.metadata.get("dir-name")
        if name == "dockerfile":
            _send(call, iter([_of_content(sent.name, sent.content)]))
        elif name == "context":
            only = call.metadata.get("followpaths")
            entries = walk(sent.folder, sent.ignored)
            if only == IGNORE_FILE:  # asked for before all else
                entries = (it for it in entries if it.name == IGNORE_FILE)
            _send(call, filter(None, map(_of_entry, entries)))
        else:
            raise CallRefused(Status.NOT_FOUND, f"there is no folder {name}")

    return {"/moby.filesync.v1.FileSync/DiffCopy": handle}


def _send(call: Call, items: Iterator[_Item]) -> None:
    files: dict[int, Callable[[], Iterator[bytes]]] = {}
    for number, item in enumerate(items):
        if item.pieces is not None:
            files[number] = item.pieces
        call.send(encode((_TYPE, _STAT), (_STAT_OF, item.stat)))
    call.send(encode((_TYPE, _STAT)))
    for content in call.messages():
        packet = Message(content)
        kind, number = packet.number(_TYPE), packet.number(_ID)
        if kind == _REQUEST and number in files:
            for piece in files[number]():
                call.send(encode((_TYPE, _DATA), (_ID, number), (_CONTENT, piece)))
            call.send(encode((_TYPE, _DATA), (_ID, number)))
        elif kind == _FINISHED:
            call.send(encode((_TYPE, _FINISHED)))
            return
        elif kind == _ERROR:
            raise CallRefused(Status.UNKNOWN, packet.text(_CONTENT))


def _of_content(name: str, content: bytes) -> _Item:
    fields: Mapping[int, int | str] = {1: name, 2: 0o644, 5: len(content)}
    return _Item(encode(*fields.items()), lambda: iter([content]))


def _of_entry(entry: Entry) -> _Item | None:
    """None for what an image cannot hold: sockets. All belongs to root, as in a tar stream."""
    try:
        found = entry.path.lstat()
        kind = _GO_TYPES.get(stat.S_IFMT(found.st_mode))
        if kind is None:
            return None
        mode = kind | stat.S_IMODE(found.st_mode) & 0o777
        mode |= sum(bit for ours, bit in _GO_BITS.items() if found.st_mode & ours)
        is_file = stat.S_ISREG(found.st_mode)
        link = str(entry.path.readlink()) if stat.S_ISLNK(found.st_mode) else ""
    except OSError as error:
        raise InputError(f"cannot read {entry.path}: {error.strerror}") from error
    is_device = stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode)
    fields: Mapping[int, int | str] = {
        1: entry.name,
        2: mode,
        5: found.st_size if is_file else 0,
        6: found.st_mtime_ns,  # with the size, what tells BuildKit that a file has changed
        7: link,
        8: os.major(found.st_rdev) if is_device else 0,
        9: os.minor(found.st_rdev) if is_device else 0,
    }
    known = [(number, value) for number, value in fields.items() if value]
    return _Item(encode(*known), (lambda: _pieces(entry)) if is_file else None)


def _pieces(entry: Entry) -> Iterator[bytes]:
    try:
        with entry.path.open("rb") as content:
            yield from iter(lambda: content.read(_PIECE_BYTES), b"")
    except OSError as error:
        raise InputError(
            f"cannot read {entry.path}: {error.strerror}",
            hint="make it readable, or add it to .dockerignore",
        ) from error
