"""`ps` and `ls`: the containers of a stack, and the stacks of an engine."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stackctl.cli.listings.options import ListOptions, write_list
from stackctl.cli.render.ages import render_age
from stackctl.cli.render.containers import (
    COLUMNS,
    STACK_COLUMNS,
    StackSummary,
    container_object,
    container_row,
    stack_row,
)
from stackctl.cli.session import Session
from stackctl.errors import InputError, UnknownName
from stackctl.local import labels
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import find_endpoint
from stackctl.local.observed import Container
from stackctl.local.observing import list_all_containers, list_containers

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_AS_JSON = re.compile(r"json|\{\{\s*json\s+\.\s*\}\}")


class PsOptions(NamedTuple):
    """The flags of `ps`."""

    shows_all: bool = False
    shows_orphans: bool = True
    lists_services: bool = False
    statuses: tuple[str, ...] = ()
    list_options: ListOptions = ListOptions()


def list_stack_containers(session: Session, services: Sequence[str], options: PsOptions) -> int:
    """The containers of a stack, by default those that run. Raises UnknownName, InputError."""
    statuses = (*options.statuses, *_statuses_of(options.list_options.filters))
    for status in statuses:
        if status not in STATES:
            raise InputError(f"{status!r} is no status", hint=f"one of {', '.join(STATES)}")
    engine = Engine(find_endpoint(session.environment))
    found: Sequence[Container] = list_containers(engine, _stack_name(session))
    if not options.shows_all and not statuses:
        found = [it for it in found if not it.is_one_off]
    known = {it.service for it in found}
    if unknown := [service for service in services if service not in known]:
        known |= _services_of_file(session)
        for service in unknown:
            if service not in known:
                raise UnknownName("service", service, known=known)
    if not options.shows_orphans:
        in_file = _services_of_file(session)
        found = [it for it in found if it.service in in_file]
    if services:
        found = [it for it in found if it.service in services]
    if statuses:
        found = [it for it in found if it.state in statuses]
    elif not options.shows_all:
        found = [it for it in found if it.is_alive]
    _write(session, found, options)
    return 0


def list_stacks_of_engine(session: Session, *, shows_all: bool, options: ListOptions) -> int:
    """The stacks that have containers on the engine, by default those of which some run."""
    engine = Engine(find_endpoint(session.environment))
    wanted = [_name_filter(text) for text in options.filters]
    summaries = [
        it
        for it in _summaries(list_all_containers(engine))
        if (shows_all or "running" in it.states) and all(text in it.name for text in wanted)
    ]
    if options.is_quiet:
        session.terminal.write("".join(f"{it.name}\n" for it in summaries))
        return 0
    rows = [stack_row(it) for it in summaries]
    if options.layout == "json":
        session.terminal.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return 0
    write_list(session, rows, STACK_COLUMNS, options)
    return 0


def _write(session: Session, found: Sequence[Container], options: PsOptions) -> None:
    listing = options.list_options
    if options.lists_services:
        session.terminal.write("".join(f"{it}\n" for it in sorted({it.service for it in found})))
        return
    if listing.is_quiet:
        session.terminal.write("".join(f"{it.id}\n" for it in found))
        return
    now = time.time()
    aged = [(it, render_age(it.created, now=now)) for it in found]
    if _AS_JSON.fullmatch(listing.layout):
        objects = (container_object(it, age=age) for it, age in aged)
        lines = (json.dumps(it, ensure_ascii=False) + "\n" for it in objects)
        session.terminal.write("".join(lines))
        return
    rows = [container_row(it, age=age, is_cut=listing.is_cut) for it, age in aged]
    write_list(session, rows, COLUMNS, listing)


def _summaries(containers: Iterable[Container]) -> list[StackSummary]:
    by_stack: dict[str, list[Container]] = {}
    for container in containers:
        if not container.is_one_off:
            by_stack.setdefault(container.labels.get(labels.STACK, ""), []).append(container)
    return [
        StackSummary(
            name,
            Counter(it.state for it in found),
            tuple(
                dict.fromkeys(
                    file
                    for it in found
                    for file in it.labels.get(labels.CONFIG_FILES, "").split(",")
                    if file
                )
            ),
        )
        for name, found in sorted(by_stack.items())
    ]


def _statuses_of(filters: Sequence[str]) -> list[str]:
    found = []
    for text in filters:
        key, equals, value = text.partition("=")
        if key != "status" or not equals:
            raise InputError(f"{text!r} is not a filter of this list", hint="write status=running")
        found.append(value)
    return found


def _name_filter(text: str) -> str:
    key, equals, value = text.partition("=")
    if key != "name" or not equals:
        raise InputError(f"{text!r} is not a filter of this list", hint="write name=shop")
    return value


def _stack_name(session: Session) -> str:
    """The name alone, from the flags, the environment or the files."""
    flags = session.stack_flags
    if flags.name:
        from stackctl.compose.grammar.names import checked_name

        return checked_name(flags.name, is_local=True)
    from stackctl.compose.merging.assemble import stack_name
    from stackctl.compose.request import LoadRequest

    request = LoadRequest(
        environment=session.environment,
        paths=flags.files,
        is_local=True,
        env_files=flags.env_files,
        project_directory=flags.directory,
    )
    return stack_name(request)


def _services_of_file(session: Session) -> set[str]:
    from stackctl.cli.local_stack import LocalStack
    from stackctl.compose.contents import Purpose
    from stackctl.local.stack_files import load_stack

    stack = load_stack(LocalStack(session).request, purpose=Purpose.NOTHING)
    return {*stack.services, *stack.switched_off}
