"""Plain listings without typer: importing it takes longer than all the rest of a listing.

Only the command lines spelt out here are understood; anything else (help, unknown or misused
flags, `--flag=value`) is left to typer, which says the same about it as ever. Both call the same
functions, and a test compares what both print.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from stackctl.cli.listings import plain_ps
from stackctl.cli.listings.options import ListOptions
from stackctl.cli.session import Session
from stackctl.client.contexts import Choice


class Listing(NamedTuple):
    """A command that lists: the function that does it, and how many names it takes."""

    module: str
    function: str
    flags: frozenset[str]
    names_min: int = 0
    names_max: int = 0


class Plain(NamedTuple):
    """A command line that was understood."""

    listing: Listing
    names: tuple[str, ...]
    options: ListOptions
    choice: Choice


_MANY = 10_000
_SHORT = {"-f": "--filter", "-q": "--quiet", "-H": "--endpoint"}
_VALUED = frozenset({"--filter", "--format"})
_SIMPLE = frozenset({"--format", "--quiet"})
_FILTERED = _SIMPLE | {"--filter"}
_OF_TASKS = _FILTERED | {"--no-trunc", "--no-resolve", "--why"}

LISTINGS: Mapping[tuple[str, str], Listing] = {
    ("stack", "ls"): Listing("stack_lists", "list_stacks", _SIMPLE),
    ("stack", "ps"): Listing("task_lists", "list_tasks_of_stack", _OF_TASKS, 1, 1),
    ("stack", "services"): Listing("service_lists", "list_services_of_stack", _FILTERED, 1, 1),
    ("stack", "configs"): Listing("content_lists", "list_configs_of_stack", _FILTERED, 1, 1),
    ("stack", "secrets"): Listing("content_lists", "list_secrets_of_stack", _FILTERED, 1, 1),
    ("secret", "ls"): Listing("content_lists", "list_secrets", _FILTERED),
    ("service", "ls"): Listing("service_lists", "list_services", _FILTERED),
    ("service", "ps"): Listing("task_lists", "list_tasks_of_services", _OF_TASKS, 1, _MANY),
    ("node", "ls"): Listing("node_lists", "list_nodes", _FILTERED),
    ("node", "ps"): Listing("task_lists", "list_tasks_of_nodes", _OF_TASKS, 0, _MANY),
}


def run_if_plain(session: Session, arguments: Sequence[str]) -> int | None:
    """Run a plain listing and return its exit code; None when it is not one."""
    plain = parse(arguments)
    if plain is None:
        return plain_ps.run(session, arguments) if "ps" in arguments else None
    session.choice = plain.choice
    module = import_module(f"stackctl.cli.listings.{plain.listing.module}")
    function: Callable[[Session, Sequence[str], ListOptions], int]
    function = getattr(module, plain.listing.function)
    return function(session, plain.names, plain.options)


def parse(arguments: Sequence[str]) -> Plain | None:
    """The plain listing in a command line, if it is one."""
    rest = list(arguments)
    choice = _take_choice(rest)
    if choice is None or len(rest) < 2:
        return None
    listing = LISTINGS.get((rest[0], rest[1]))
    if listing is None:
        return None
    found = _take_flags(rest[2:], listing.flags)
    if found is None:
        return None
    names, given = found
    if not listing.names_min <= len(names) <= listing.names_max:
        return None
    options = ListOptions(
        filters=tuple(given.get("--filter", ())),
        layout=given.get("--format", [""])[-1],
        is_quiet="--quiet" in given,
        is_cut="--no-trunc" not in given,
        is_resolved="--no-resolve" not in given,
        shows_cause="--why" in given,
    )
    return Plain(listing, tuple(names), options, choice)


def _take_choice(rest: list[str]) -> Choice | None:
    """The options before the command, taken off; None when one is unusual."""
    taken: dict[str, Any] = {"--endpoint": [], "--context": "", "--identity": ""}
    while rest and rest[0].startswith("-"):
        flag = _SHORT.get(rest[0], rest[0])
        if flag not in taken or len(rest) < 2 or rest[1].startswith("-"):
            return None
        if flag == "--endpoint":
            taken[flag].append(rest[1])
        else:
            taken[flag] = rest[1]
        del rest[:2]
    return Choice(tuple(taken["--endpoint"]), taken["--context"], taken["--identity"])


def _take_flags(
    rest: Sequence[str], flags: frozenset[str]
) -> tuple[list[str], dict[str, list[str]]] | None:
    """Names and flags; None when something needs typer to be understood or refused."""
    names: list[str] = []
    given: dict[str, list[str]] = {}
    words = iter(rest)
    for word in words:
        flag = _SHORT.get(word, word)
        if not word.startswith("-"):
            names.append(word)
        elif flag not in flags:
            return None
        elif flag in _VALUED:
            value = next(words, None)
            if value is None or value.startswith("-"):
                return None
            given.setdefault(flag, []).append(value)
        else:
            given[flag] = []
    return names, given
