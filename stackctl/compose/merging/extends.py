"""`extends`: a service on top of another one, of the same file or of another.

The base is a service as its own file makes it, with the services that it extends itself, but
without what that file includes; what the extending service says goes over it. Relative paths of the
base stay relative to its own file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from stackctl.compose.merging.files import ComposeFile
from stackctl.compose.merging.identities import text_of
from stackctl.compose.merging.merge import Merging, without_tags
from stackctl.compose.merging.rebase import rebased
from stackctl.compose.merging.rules import step_at
from stackctl.compose.problems import Path as DocumentPath
from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.syntax.tree import RESET, Entry, Mapping, Node, Scalar, broken, kind_of

EXTENDS = "extends"
CHAIN_MAX = 32

_KEYS = ("service", "file")


class Source(msgspec.Struct):
    """The services of one file, and those of them that are done. `key` tells sources apart."""

    key: str
    shown: str
    base: Path
    services: Mapping
    done: dict[str, Node] = {}
    done_elsewhere: dict[tuple[str, Path], Node] = {}  # with paths as seen from another folder


class Reference(NamedTuple):
    """What a service extends, and where it says so."""

    service: str
    file: str | None
    place: Place


# The source for a file named at a place, seen from a folder; None when that has been reported.
OtherFile = Callable[[str, Path, Place], Source | None]


class Extending:
    """All `extends` of one load."""

    def __init__(self, log: ProblemLog, merging: Merging, other_file: OtherFile) -> None:
        self._log = log
        self._merging = merging
        self._other_file = other_file

    def applied(self, root: Mapping, file: ComposeFile, *, base: Path) -> Mapping:
        """The tree with every service complete. Raises `TooMuch`."""
        services = root.entries.get("services")
        if services is None or not isinstance(services.value, Mapping):
            return root
        if not any(_extends(entry.value) for entry in services.value):
            return root
        source = Source(file.key, file.shown, base, services.value)
        entries = {
            entry.key: Entry(entry.key, entry.key_position, self._service(source, entry.key, ()))
            for entry in services.value
        }
        complete = Mapping(entries, services.value.position, services.value.tag)
        section = Entry("services", services.key_position, complete)
        return Mapping({**root.entries, "services": section}, root.position, root.tag)

    def _service(self, source: Source, name: str, chain: tuple[tuple[str, str], ...]) -> Node:
        node = source.services.entries[name].value
        extends = _extends(node)
        if extends is None or not isinstance(node, Mapping):
            return node
        if name not in source.done:
            entries = {entry.key: entry for entry in node if entry.key != EXTENDS}
            own = Mapping(entries, node.position, node.tag)
            source.done[name] = own  # for those who come here in a circle, after it is reported
            base = self._base(source, name, extends, (*chain, (source.key, name)))
            if isinstance(base, Mapping):
                path = ("services", name)
                step = step_at("services", "*")
                merged = self._merging.merged(without_tags(base), own, path, step)
                source.done[name] = merged
            elif extends.value.tag != RESET:
                source.done[name] = _without_its_base(own)
        return source.done[name]

    def _base(
        self, source: Source, name: str, extends: Entry, chain: tuple[tuple[str, str], ...]
    ) -> Node | None:
        reference = self._reference(extends, ("services", name, EXTENDS))
        if reference is None:
            return None
        if len(chain) > CHAIN_MAX:
            message = f"services extend each other over more than {CHAIN_MAX} steps"
            self._log.add(reference.place, message)
            return None
        other: Source | None = source
        if reference.file is not None:
            other = self._other_file(reference.file, source.base, reference.place)
        if other is None:
            return None
        wanted = reference.service
        if wanted not in other.services.entries:
            hint = self._log.near(wanted, other.services.entries)
            message = f"there is no service {shown(wanted)!r} in {other.shown} to extend"
            self._log.add(reference.place, message, hint or _elsewhere(reference))
            return None
        if (other.key, wanted) in chain:
            self._report_circle(reference, chain, (other.key, wanted))
            return None
        return self._from(other, wanted, chain, source.base)

    def _from(
        self, other: Source, name: str, chain: tuple[tuple[str, str], ...], base: Path
    ) -> Node:
        service = self._service(other, name, chain)
        if other.base == base:
            return service
        if (name, base) not in other.done_elsewhere:
            other.done_elsewhere[name, base] = rebased(
                service, ("services", name), written_in=other.base, read_from=base
            )
        return other.done_elsewhere[name, base]

    def _report_circle(
        self,
        reference: Reference,
        chain: tuple[tuple[str, str], ...],
        first: tuple[str, str],
    ) -> None:
        circle = [*chain[chain.index(first) :], first]
        names = " -> ".join(shown(name) for _, name in circle)
        self._log.add(reference.place, f"services extend each other in a circle: {names}")

    def _reference(self, extends: Entry, path: DocumentPath) -> Reference | None:
        value = extends.value
        if value.tag == RESET:
            return None
        if isinstance(value, Mapping):
            for entry in value:
                if entry.key not in _KEYS and not entry.key.startswith("x-"):
                    place = Place(entry.key_position, (*path, entry.key))
                    self._log.add(place, "unknown key", self._log.near(entry.key, _KEYS))
            file = self._text(value.entries.get("file"), (*path, "file"))
            service = self._text(value.entries.get("service"), (*path, "service"))
            if "service" not in value.entries:
                self._log.add(Place(extends.key_position, path), "no service is given to extend")
            wants_file = "file" in value.entries
            if service is None or (wants_file and file is None):
                return None
            return Reference(service, file, Place(value.position, path))
        service = self._text(extends, path)
        position = value.position
        return None if service is None else Reference(service, None, Place(position, path))

    def _text(self, entry: Entry | None, path: DocumentPath) -> str | None:
        if entry is None:
            return None
        text = text_of(entry.value)
        if not text and not (isinstance(entry.value, Scalar) and entry.value.broken):
            said = kind_of(entry.value) if text is None else "empty"
            place = Place(_position(entry), path)
            self._log.add(place, f"must be the name of a {_called(path)}, not {said}")
        return text or None


def _called(path: DocumentPath) -> str:
    return "file" if path[-1] == "file" else "service"


def _extends(node: Node) -> Entry | None:
    return node.entries.get(EXTENDS) if isinstance(node, Mapping) else None


def _without_its_base(service: Mapping) -> Mapping:
    """The service as if its base had an image: that it has none is no second mistake."""
    if "image" in service.entries:
        return service
    image = Entry("image", service.position, broken(service.position))
    return Mapping({**service.entries, "image": image}, service.position, service.tag)


def _elsewhere(reference: Reference) -> str | None:
    if reference.file is not None:
        return None
    return "for a service of another file, write {file: FILE, service: SERVICE}"


def _position(entry: Entry) -> Position:
    value = entry.value
    written = not isinstance(value, Scalar) or value.text
    return value.position if written else entry.key_position
