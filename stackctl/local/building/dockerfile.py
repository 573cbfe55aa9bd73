"""Where a build's Dockerfile comes from, and the stream that the builder reads.

A Dockerfile may lie in the context, elsewhere on this machine, or in the Compose file. The classic
builder takes it from the context only, so what is elsewhere is added to the stream under a name of
its own, and a line of .dockerignore has it removed before files are copied. BuildKit leaves nothing
of a stream out, but can fetch the two apart.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.build import Build
from stackctl.errors import InputError
from stackctl.local.building.context_tar import (
    IGNORE_FILE,
    ExtraFile,
    read_ignore_patterns,
    stream_folder,
)
from stackctl.local.building.ignore_patterns import IgnorePatterns

USUAL_NAME = "Dockerfile"


class ApartDockerfile(NamedTuple):
    """A Dockerfile that does not lie in its context."""

    name: str
    content: bytes
    folder: Path
    ignored: IgnorePatterns


class BuildInput(NamedTuple):
    """What is sent: the name of the Dockerfile in it, and the stream (None: the engine fetches)."""

    dockerfile: str
    stream: Iterable[bytes] | None
    apart: ApartDockerfile | None = None


def build_input(build: Build, *, owner: str) -> BuildInput:
    """The input of a build; `owner` is the service, for messages. Raises InputError."""
    if is_remote(build.context):
        if build.dockerfile_inline:
            raise InputError(
                f"service {owner}: dockerfile_inline needs a local context, not {build.context}"
            )
        return BuildInput(build.dockerfile or USUAL_NAME, None)
    folder = Path(build.context)
    if not folder.is_dir():
        reason = "is no folder" if folder.exists() else "does not exist"
        raise InputError(
            f"cannot build service {owner}: its context {folder} {reason}",
            hint="look at build.context of the service",
        )
    if build.dockerfile_inline:
        return _with_added(folder, build.dockerfile_inline.encode())
    given = folder / (build.dockerfile or USUAL_NAME)
    try:
        name = given.resolve().relative_to(folder.resolve()).as_posix()
        if given.is_file():
            return BuildInput(name, stream_folder(folder, read_ignore_patterns(folder, name)))
    except ValueError:
        if given.is_file():
            return _with_added(folder, given.read_bytes())
    raise InputError(
        f"cannot build service {owner}: there is no Dockerfile {given}",
        hint="build.dockerfile names another one",
    )


def _with_added(folder: Path, content: bytes) -> BuildInput:
    # The same content has the same name: a name by chance would change the builder's cache key.
    name = f".dockerfile.{hashlib.sha256(content).hexdigest()[:20]}"
    ignored = read_ignore_patterns(folder, USUAL_NAME)
    added = (ExtraFile(name, content), _hiding(folder, name))
    apart = ApartDockerfile(USUAL_NAME, content, folder, ignored)
    return BuildInput(name, stream_folder(folder, ignored, added), apart)


def _hiding(folder: Path, name: str) -> ExtraFile:
    """The .dockerignore that has the builder remove a file once it is read; a later one in a stream
    takes the place of an earlier one."""
    path = folder / IGNORE_FILE
    before = path.read_bytes() if path.is_file() else f"{IGNORE_FILE}\n".encode()
    return ExtraFile(IGNORE_FILE, before.rstrip(b"\n") + f"\n{name}\n".encode())
