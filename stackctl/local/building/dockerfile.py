"""Where a build's Dockerfile comes from, and the stream that the builder reads.

A Dockerfile may lie in the context, elsewhere on this machine, or in the Compose file; the builder
takes it from the context only, so what is elsewhere is added to the stream under a name of its own.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.build import Build
from stackctl.errors import InputError
from stackctl.local.building.context_tar import ExtraFile, read_ignore_patterns, stream_folder

USUAL_NAME = "Dockerfile"


class BuildInput(NamedTuple):
    """What is sent: the name of the Dockerfile in it, and the stream (None: the engine fetches)."""

    dockerfile: str
    stream: Iterable[bytes] | None


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
    return BuildInput(name, stream_folder(folder, ignored, (ExtraFile(name, content),)))
