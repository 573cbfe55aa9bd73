"""Which stack a command is about, and what its files say where they are needed.

Commands that only look at what is there (`ps`, `logs`, `stop`) need no file but a name: a file
is read in full only by those that make something of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stackctl.compose.contents import Contents, Purpose
from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.compose.load import load_document
from stackctl.compose.merging.assemble import stack_name
from stackctl.compose.merging.profiles import ALL
from stackctl.compose.merging.sources import find_sources
from stackctl.compose.problems import Note, ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.verdicts.rules import Target
from stackctl.errors import InputError, UnknownName
from stackctl.local.labels import Origin


class Stack(NamedTuple):
    """A stack as its files say, with what is not said by the document itself."""

    origin: Origin
    document: Document
    notes: tuple[Note, ...] = ()
    switched_off: tuple[str, ...] = ()
    profiles: frozenset[str] = frozenset()  # all that some service names

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.origin.stack_name

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by their keys."""
        return {service.key: service for service in self.document.services}

    def chosen(self, keys: Sequence[str]) -> tuple[Service, ...]:
        """The services of these keys, all without any. Raises UnknownName."""
        known = self.services
        for key in keys:
            if key not in known:
                raise UnknownName("service", key, known=known)
        return tuple(known[key] for key in keys) if keys else self.document.services


def load_stack(
    request: LoadRequest,
    *,
    named: Sequence[str] = (),
    name_separator: str = "-",
    purpose: Purpose = Purpose.CONTAINERS,
    with_dependencies: bool = True,
) -> Stack:
    """The stack of a request; a service that is named is there though its profiles are off.

    Env files, configs and secrets are read as far as the `purpose` needs them, for what is named.

    Raises InputError, ComposeProblems, UnknownName.
    """
    request = request._replace(contents=Contents(purpose, tuple(named), with_dependencies))
    loaded = load_document(request, Target.LOCAL)
    document = loaded.document
    if any(key in loaded.switched_off for key in named):
        off = frozenset(loaded.switched_off) - frozenset(named)
        everything = load_document(request._replace(profiles=(ALL,)), Target.LOCAL).document
        document = _without(everything, off)
    if name_separator != "-":
        services = (
            msgspec.structs.replace(it, name_separator=name_separator) for it in document.services
        )
        document = msgspec.structs.replace(document, services=tuple(services))
    sources = find_sources(request, ProblemLog())
    origin = Origin(
        loaded.name,
        str(sources.base.resolve()),
        tuple(str(file.path.resolve()) for file in sources.files if file.path is not None),
        tuple(str(Path(path).resolve()) for path in request.env_files),
    )
    return Stack(origin, document, loaded.notes, loaded.switched_off, loaded.profiles)


def stack_name_of(request: LoadRequest) -> str:
    """The name of a stack, for commands that need no more. Raises InputError."""
    return stack_name(request)


def _without(document: Document, off: frozenset[str]) -> Document:
    """The document without services that stay off, as long as nobody needs them."""
    staying = tuple(service for service in document.services if service.key not in off)
    for service in staying:
        for dependency in dependencies_of(service):
            if dependency.key in off and dependency.required:
                raise InputError(
                    f"{service.key} depends on {dependency.key}, whose profiles are off",
                    hint=f"name {dependency.key}, too, or switch it on with --profile",
                )
    return msgspec.structs.replace(document, services=staying)
