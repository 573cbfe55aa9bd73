"""What `logs` does: the lines that containers wrote, in the order of time, and then new ones."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stackctl.cli.local_stack import LocalStack
from stackctl.cli.moments import parse_moment
from stackctl.cli.render.log_prefixes import Prefixes, PrefixStyle
from stackctl.cli.session import Session
from stackctl.errors import InputError
from stackctl.local.log_following import ContainerEnded, Following, Happening
from stackctl.local.logs import LogLine, LogRange, merged_logs
from stackctl.local.observed import Container


class LogFlags(NamedTuple):
    """The flags of `logs`, times and numbers as they were written."""

    services: tuple[str, ...] = ()
    follows: bool = False
    tail: str = "all"
    since: str = ""
    until: str = ""
    number: int = 0  # of the container; 0 is all
    style: PrefixStyle = PrefixStyle()


def print_logs(session: Session, flags: LogFlags) -> int:
    """Print what a stack's containers wrote. Raises UnknownName, InputError."""
    local = LocalStack(session)
    wanted = _range(flags)
    found = [it for it in local.containers_of(flags.services) if _has_index(it, flags.number)]
    if not found and flags.number:
        raise InputError(f"no container has the number {flags.number}")
    prefixes = Prefixes(flags.style, stack_name=local.name)
    for container in found:
        prefixes.add(container.name)
    if not flags.follows:
        for line in merged_logs(local.engine, found, wanted):
            session.terminal.write(prefixes.line(line.container, line.text, at=line.at))
        return 0
    following = Following(
        local.engine,
        local.name,
        is_chosen=lambda service, number: (
            (not flags.services or service in flags.services)
            and (not flags.number or number == flags.number)
        ),
    )
    try:
        following.watch_events()
        known = merged_logs(local.engine, found, wanted)
        _print_known(session, known, following, found, prefixes)
        alive = [it for it in found if it.is_alive]
        following.follow(alive, wanted)
        if not alive:
            following.close()
        for happening in following.happenings():
            _show(session, happening, prefixes)
            if isinstance(happening, ContainerEnded) and not _any_alive(local, flags.services):
                following.close_unless_started()
    finally:
        following.close()
    return 0


def _print_known(
    session: Session,
    known: Iterable[LogLine],
    following: Following,
    found: Sequence[Container],
    prefixes: Prefixes,
) -> None:
    """What was written already, whole and in order, before what is new."""
    ids = {it.name: it.id for it in found}
    for line in known:
        session.terminal.write(prefixes.line(line.container, line.text, at=line.at))
        following.note_seen(ids[line.container], line.at)
    session.terminal.flush()


def _show(session: Session, happening: Happening, prefixes: Prefixes) -> None:
    if isinstance(happening, LogLine):
        text = prefixes.line(happening.container, happening.text, at=happening.at)
        session.terminal.write(text)
        session.terminal.flush()
    elif isinstance(happening, ContainerEnded):
        session.terminal.note(ended_text(happening, prefixes))


def ended_text(ended: ContainerEnded, prefixes: Prefixes) -> str:
    """`web-1 exited with code 1 (restarting)`."""
    restarting = " (restarting)" if ended.restarts else ""
    return f"{prefixes.short(ended.container)} exited with code {ended.exit_code}{restarting}"


def _any_alive(local: LocalStack, services: Sequence[str]) -> bool:
    return any(
        it.is_alive and not it.is_one_off and (not services or it.service in services)
        for it in local.containers()
    )


def _has_index(container: Container, index: int) -> bool:
    return not index or container.number == index


def _range(flags: LogFlags) -> LogRange:
    now = time.time()
    if flags.tail == "-1":  # as docker takes it
        flags = flags._replace(tail="all")
    if flags.tail != "all" and not (flags.tail.isascii() and flags.tail.isdigit()):
        raise InputError(f"--tail {flags.tail}: neither a number of lines nor all")
    since, until = (
        f"{parse_moment(text, now=now):.9f}" if text else "" for text in (flags.since, flags.until)
    )
    return LogRange(flags.tail, since, until)
