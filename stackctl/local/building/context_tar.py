"""A folder as the stream of bytes that a builder reads: tar, without what is to be ignored.

The stream is made while it is sent, so a context of gigabytes needs no room on a disk. Files belong
to root and are named in the order of their names: the same files make the same stream, which is
what the builder's cache goes by.
"""

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from stackctl.errors import InputError
from stackctl.local.building.ignore_patterns import IgnorePatterns, parse_lines

_PIECE_BYTES = 256 * 1024
_BLOCK_BYTES = 512
IGNORE_FILE = ".dockerignore"


class ExtraFile(NamedTuple):
    """A file of the stream that is not in the folder (a Dockerfile from elsewhere)."""

    name: str
    content: bytes


class Entry(NamedTuple):
    """A file, folder or link below a folder."""

    name: str  # relative to the folder, with / between
    path: Path


def read_ignore_patterns(folder: Path, dockerfile: str) -> IgnorePatterns:
    """The patterns for a context: of `<dockerfile>.dockerignore`, else of `.dockerignore`.

    Dockerfile and .dockerignore themselves are always sent, as the builder needs them. Raises
    InputError when the file cannot be read or holds no patterns.
    """
    for name in (f"{dockerfile}{IGNORE_FILE}", IGNORE_FILE):
        path = folder / name
        if not path.is_file():
            continue
        try:
            lines = parse_lines(path.read_text(encoding="utf-8"))
            return IgnorePatterns((*lines, f"!{IGNORE_FILE}", f"!{_escaped(dockerfile)}"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be used: {error}") from error
    return IgnorePatterns(())


def _escaped(name: str) -> str:
    return "".join("\\" + letter if letter in "*?[\\" else letter for letter in name)


def walk(folder: Path, ignored: IgnorePatterns) -> Iterator[Entry]:
    """What is in a folder and not ignored, folders before their content, in the order of names.

    An ignored folder that holds something taken back comes, too. Raises InputError for what cannot
    be read.
    """
    yield from _walk_below(folder, "", ignored)


def _walk_below(folder: Path, prefix: str, ignored: IgnorePatterns) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in entries:
        name = prefix + entry.name
        is_ignored = ignored.ignores(name)
        if not entry.is_dir(follow_symlinks=False):
            if not is_ignored:
                yield Entry(name, Path(entry.path))
            continue
        if is_ignored and ignored.ignores_all_below(name):
            continue
        below = _walk_below(Path(entry.path), name + "/", ignored)
        if not is_ignored:
            yield Entry(name, Path(entry.path))
            yield from below
            continue
        first = next(below, None)
        if first is not None:
            yield Entry(name, Path(entry.path))
            yield first
            yield from below


def stream_folder(
    folder: Path, ignored: IgnorePatterns, extra_files: tuple[ExtraFile, ...] = ()
) -> Iterator[bytes]:
    """The folder as a tar stream, in pieces. Raises InputError for what cannot be read."""
    for entry in walk(folder, ignored):
        yield from stream_entry(entry)
    for extra in extra_files:
        header = tarfile.TarInfo(extra.name)
        header.size = len(extra.content)
        yield header.tobuf(tarfile.PAX_FORMAT)
        yield extra.content + bytes(-len(extra.content) % _BLOCK_BYTES)
    yield end_of_stream()


def end_of_stream() -> bytes:
    """What every tar stream ends with."""
    return bytes(2 * _BLOCK_BYTES)


def stream_entry(
    entry: Entry, *, keeps_owner: bool = False, follows_link: bool = False
) -> Iterator[bytes]:
    """One entry of a stream. Raises InputError for a file that cannot be read."""
    try:
        header = _header(entry, keeps_owner=keeps_owner, follows_link=follows_link)
        if header is None:
            return
        if not header.isreg():
            yield header.tobuf(tarfile.PAX_FORMAT)
            return
        with entry.path.open("rb") as content:
            yield header.tobuf(tarfile.PAX_FORMAT)
            yield from _padded_content(content.read, header.size)
    except OSError as error:
        raise _unreadable(entry.path, error) from error


def _header(entry: Entry, *, keeps_owner: bool, follows_link: bool) -> tarfile.TarInfo | None:
    """None for what a tar stream cannot hold: sockets."""
    found = entry.path.stat() if follows_link else entry.path.lstat()
    header = tarfile.TarInfo(entry.name)
    header.mode = stat.S_IMODE(found.st_mode)
    header.mtime = int(found.st_mtime)
    if keeps_owner:
        header.uid, header.gid = found.st_uid, found.st_gid
    if stat.S_ISREG(found.st_mode):
        header.size = found.st_size
    elif stat.S_ISDIR(found.st_mode):
        header.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        header.type = tarfile.SYMTYPE
        header.linkname = str(entry.path.readlink())
    elif stat.S_ISFIFO(found.st_mode):
        header.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        header.type = tarfile.CHRTYPE if stat.S_ISCHR(found.st_mode) else tarfile.BLKTYPE
        header.devmajor, header.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    else:
        return None
    return header


def _padded_content(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """Exactly `size` bytes, even of a file that grows or shrinks while it is read."""
    left = size
    while left:
        piece = read(min(left, _PIECE_BYTES))
        if not piece:
            yield bytes(left)
            break
        left -= len(piece)
        yield piece
    yield bytes(-size % _BLOCK_BYTES)


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot read {path}: {error.strerror}",
        hint="make it readable, or add it to .dockerignore",
    )
