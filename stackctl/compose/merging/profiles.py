"""Profiles: services that are only there when somebody asks for them.

A service without `profiles` is always there. One with profiles leaves the tree unless one of them
is on (`*` is all). Whoever depends on a service that is off makes a mistake, unless the dependency
says `required: false`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from stackctl.compose.merging.identities import text_of
from stackctl.compose.problems import Path, Place, ProblemLog, shown
from stackctl.compose.syntax.tree import Entry, Mapping, Node, Scalar, Sequence, broken

ALL = "*"

_Change = Callable[[Node, Path], Node]
_ServiceOf = Callable[[str], str]

# Keys of one text that may name another service, as service:NAME.
_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")
# Keys that list services, as NAME:MORE.
_LISTS = ("links", "volumes_from")
_SERVICE_PREFIX = "service:"


class Profiled(NamedTuple):
    """The tree without what is off, the services that are, and all profiles there are."""

    root: Node
    switched_off: tuple[str, ...]
    profiles: frozenset[str]


def switched(root: Node, active: frozenset[str], log: ProblemLog) -> Profiled:
    """The tree with the services that are on."""
    section = root.entries.get("services") if isinstance(root, Mapping) else None
    if not isinstance(root, Mapping) or section is None or not isinstance(section.value, Mapping):
        return Profiled(root, (), frozenset())
    wanted = {entry.key: _profiles(entry.value) for entry in section.value}
    known = frozenset(profile for profiles in wanted.values() for profile in profiles)
    off = {
        key: profiles
        for key, profiles in wanted.items()
        if profiles and ALL not in active and active.isdisjoint(profiles)
    }
    if not off:
        return Profiled(root, (), known)
    switching = _Switching(off, log)
    entries = {}
    for entry in section.value:
        if entry.key in off:
            place = Place(entry.key_position, ("services", entry.key))
            log.note(place, f"is left out: {_off(off[entry.key])}")
        else:
            value = switching.service(entry.value, ("services", entry.key))
            entries[entry.key] = Entry(entry.key, entry.key_position, value)
    services = Entry("services", section.key_position, Mapping(entries, section.value.position))
    remaining = Mapping({**root.entries, "services": services}, root.position)
    return Profiled(remaining, tuple(off), known)


class _Switching:
    """Takes what is off out of the services that are on."""

    def __init__(self, off: dict[str, tuple[str, ...]], log: ProblemLog) -> None:
        self._off = off
        self._log = log

    def service(self, node: Node, path: Path) -> Node:
        if not isinstance(node, Mapping):
            return node
        changed = dict(node.entries)
        for key, change in self._changes():
            entry = changed.get(key)
            if entry is not None:
                value = change(entry.value, (*path, key))
                changed[key] = Entry(key, entry.key_position, value)
        return Mapping(changed, node.position)

    def _changes(self) -> Iterator[tuple[str, _Change]]:
        yield "depends_on", self._dependencies
        for key in _LISTS:
            yield key, self._list
        for key in _NAMESPACES:
            yield key, self._namespace

    def _dependencies(self, node: Node, path: Path) -> Node:
        if isinstance(node, Sequence):
            return self._list(node, path)
        if not isinstance(node, Mapping):
            return node
        entries = {}
        for entry in node:
            place = Place(entry.key_position, (*path, entry.key))
            if entry.key not in self._off:
                entries[entry.key] = entry
            elif _is_required(entry.value):
                self._report(entry.key, place)
            else:
                self._log.note(place, f"is not waited for: {_off(self._off[entry.key])}")
        return Mapping(entries, node.position)

    def _list(self, node: Node, path: Path) -> Node:
        if not isinstance(node, Sequence):
            return node
        items = tuple(
            self._item(item, (*path, index), lambda text: text.partition(":")[0])
            for index, item in enumerate(node.items)
        )
        return Sequence(items, node.position)

    def _namespace(self, node: Node, path: Path) -> Node:
        return self._item(
            node,
            path,
            lambda text: text.removeprefix(_SERVICE_PREFIX) if _SERVICE_PREFIX in text else "",
        )

    def _item(self, node: Node, path: Path, service_of: _ServiceOf) -> Node:
        text = text_of(node)
        service = service_of(text) if text else ""
        if service not in self._off:
            return node
        self._report(service, Place(node.position, path))
        return broken(node.position)

    def _report(self, service: str, place: Place) -> None:
        profiles = self._off[service]
        self._log.add(
            place,
            f"depends on service {shown(service)}, which is left out: {_off(profiles)}",
            f"switch it on with --profile {shown(profiles[0])}, "
            "or depend on it with required: false",
        )


def _profiles(service: Node) -> tuple[str, ...]:
    entry = service.entries.get("profiles") if isinstance(service, Mapping) else None
    if entry is None or not isinstance(entry.value, Sequence):
        return ()
    return tuple(filter(None, map(text_of, entry.value.items)))


def _is_required(dependency: Node) -> bool:
    entry = dependency.entries.get("required") if isinstance(dependency, Mapping) else None
    if entry is None or not isinstance(entry.value, Scalar):
        return True
    return entry.value.text.lower() not in ("false", "no", "n", "off")


def _off(profiles: Iterable[str]) -> str:
    names = ", ".join(map(shown, profiles))
    return f"none of its profiles is on ({names})"
