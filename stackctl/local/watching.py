"""What changed in watched folders since the last look, and what follows from it for a container.

Files are looked at each half second and compared: polling is the one way that works on every file
system and system without a library, and it is what batches the twenty writes of one `git checkout`
into one reaction. What is ignored is never looked into.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from stackctl.compose.document import Service
from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.lifecycle import Hook, WatchAction, WatchRule
from stackctl.errors import InputError
from stackctl.local.building.context_tar import read_ignore_patterns, walk
from stackctl.local.building.dockerfile import USUAL_NAME
from stackctl.local.building.ignore_patterns import IgnorePatterns

# What version control and editors write beside the files that they change.
_NEVER_WATCHED = ("**/.git", "**/*~", "**/.*.sw?", "**/.#*", "**/4913")

Snapshot = Mapping[str, tuple[int, int, int]]

_SYNCING = frozenset((WatchAction.SYNC, WatchAction.SYNC_RESTART, WatchAction.SYNC_EXEC))


class Changes(NamedTuple):
    """Names below a watched path; "" is the path itself."""

    written: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


class CopiedPath(NamedTuple):
    """A file or folder here, and where it belongs in the container."""

    source: Path
    target: str


class Reaction(NamedTuple):
    """What one service needs after a batch of changes; rebuilding makes all else needless."""

    rebuilds: bool = False
    copied: tuple[CopiedPath, ...] = ()
    removed: tuple[str, ...] = ()  # paths in the container
    restarts: bool = False
    hooks: tuple[Hook, ...] = ()

    def __bool__(self) -> bool:
        return self != Reaction()


class WatchedPath:
    """One rule of a service, with what it looks at."""

    def __init__(self, service: Service, rule: WatchRule) -> None:
        """Raises InputError for patterns that are none."""
        self.rule = rule
        self._root = Path(rule.path)
        try:
            self._ignored = IgnorePatterns((*_NEVER_WATCHED, *rule.ignore))
            self._included = IgnorePatterns(rule.include) if rule.include else None
        except ValueError as error:
            raise InputError(f"service {service.key} watches {rule.path}: {error}") from error
        self._context = _context_of(service)
        self._of_context = (
            read_ignore_patterns(self._context, USUAL_NAME) if self._context else IgnorePatterns(())
        )

    def look(self) -> Snapshot:
        """Everything that is watched, by name: when it was written, its size and its mode."""
        found: dict[str, tuple[int, int, int]] = {}
        if not self._root.is_dir():
            _note(found, "", self._root)
            return found
        try:
            for entry in walk(self._root, self._ignored):
                if self._is_watched(entry.name, entry.path):
                    _note(found, entry.name, entry.path)
        except InputError:
            return found  # a folder vanished while it was walked: the next look sees the rest
        return found

    def _is_watched(self, name: str, path: Path) -> bool:
        if self._included is not None and not self._included.ignores(name):
            return False
        if self._context is None or not path.is_relative_to(self._context):
            return True
        return not self._of_context.ignores(path.relative_to(self._context).as_posix())


def compare(before: Snapshot, now: Snapshot) -> Changes:
    """What was written and what is gone."""
    written = tuple(name for name, seen in now.items() if before.get(name) != seen)
    return Changes(written, tuple(name for name in before if name not in now))


def everything(now: Snapshot) -> Changes:
    """All of it, for `initial_sync`."""
    return Changes(tuple(now), ())


def reaction(found: Iterable[tuple[WatchRule, Changes]]) -> Reaction:
    """What the changes of one service's rules ask for together."""
    total = Reaction()
    for rule, changes in found:
        if not changes:
            continue
        if rule.action is WatchAction.REBUILD:
            return Reaction(rebuilds=True)
        if rule.action in _SYNCING:
            total = total._replace(
                copied=(*total.copied, *(_copied(rule, name) for name in changes.written)),
                removed=(*total.removed, *(_target(rule, name) for name in changes.removed)),
            )
        if rule.action in (WatchAction.RESTART, WatchAction.SYNC_RESTART):
            total = total._replace(restarts=True)
        if rule.action is WatchAction.SYNC_EXEC and rule.execute is not None:
            total = total._replace(hooks=(*total.hooks, rule.execute))
    return total


def _copied(rule: WatchRule, name: str) -> CopiedPath:
    return CopiedPath(Path(rule.path) / name if name else Path(rule.path), _target(rule, name))


def _target(rule: WatchRule, name: str) -> str:
    return f"{rule.target.rstrip('/')}/{name}" if name else rule.target


def _note(found: dict[str, tuple[int, int, int]], name: str, path: Path) -> None:
    try:
        seen = path.lstat()
    except OSError:
        return  # gone again
    if path.is_dir() and not path.is_symlink():
        # A folder's time changes with each file in it, which is told by the file itself.
        found[name] = (0, 0, seen.st_mode)
    else:
        found[name] = (seen.st_mtime_ns, seen.st_size, seen.st_mode)


def _context_of(service: Service) -> Path | None:
    if service.build is None or is_remote(service.build.context):
        return None
    context = Path(service.build.context)
    return context if context.is_dir() else None
