"""What happens around a container: hooks, watching during development, providers."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from stackctl.compose.problems import Place


class Hook(msgspec.Struct, frozen=True):
    """A command that runs in the container after its start or before its stop."""

    place: Place
    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: tuple[str, ...] = ()  # "KEY=value", sorted


class StartHook(msgspec.Struct, frozen=True):
    """A container that runs to its end before the service starts; image "" is the service's."""

    place: Place
    command: tuple[str, ...] | None = None  # None is the image's own
    image: str = ""
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: tuple[str, ...] = ()  # "KEY=value", sorted
    per_replica: bool = False


class WatchAction(StrEnum):
    """What is done when a watched path changes."""

    REBUILD = "rebuild"
    SYNC = "sync"
    RESTART = "restart"
    SYNC_RESTART = "sync+restart"
    SYNC_EXEC = "sync+exec"


class WatchRule(msgspec.Struct, frozen=True):
    """One watched path; the patterns are those of .dockerignore, relative to the path."""

    place: Place
    path: str  # absolute
    action: WatchAction
    target: str = ""  # a path in the container
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    execute: Hook | None = None
    initial_sync: bool = False


class Develop(msgspec.Struct, frozen=True):
    """How a service follows its sources while they are worked on."""

    watch: tuple[WatchRule, ...] = ()


class Provider(msgspec.Struct, frozen=True):
    """A program outside of the engine that implements the service."""

    place: Place
    type: str
    options: Mapping[str, tuple[str, ...]] = {}
