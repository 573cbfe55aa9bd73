"""`ps` without typer: it is the command that is typed most, and has a budget of 200 ms as a whole.

Like `fast_path`, it leaves to typer whatever it does not understand.
"""

from collections.abc import Sequence

from stackctl.cli.listings.options import ListOptions
from stackctl.cli.session import Session, StackFlags

_SHORT = {"-a": "--all", "-q": "--quiet", "-f": "--file", "-c": "--file", "-p": "--project-name"}
_BEFORE = frozenset(("--file", "--project-name"))
_SWITCHES = frozenset(("--all", "--quiet", "--services", "--no-trunc"))
_VALUED = frozenset(("--format", "--status", "--filter"))


def run(session: Session, arguments: Sequence[str]) -> int | None:
    """Run a plain `ps`; None when it is not one."""
    words = list(arguments)
    before: dict[str, list[str]] = {}
    while words and words[0] != "ps":
        flag = _SHORT.get(words[0], words[0])
        if flag not in _BEFORE or len(words) < 2 or words[1].startswith("-"):
            return None
        before.setdefault(flag, []).append(words[1])
        del words[:2]
    after = _after(words[1:])
    if not words or after is None:
        return None
    services, given = after
    # Imported only now: other commands pass by here.
    from stackctl.cli.listings import container_lists

    session.stack_flags = StackFlags(
        files=tuple(before.get("--file", ())), name=before.get("--project-name", [None])[-1]
    )
    options = container_lists.PsOptions(
        shows_all="--all" in given,
        lists_services="--services" in given,
        statuses=tuple(given.get("--status", ())),
        list_options=ListOptions(
            filters=tuple(given.get("--filter", ())),
            layout=given.get("--format", [""])[-1],
            is_quiet="--quiet" in given,
            is_cut="--no-trunc" not in given,
        ),
    )
    return container_lists.list_stack_containers(session, services, options)


def _after(words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]] | None:
    services: list[str] = []
    given: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        flag = _SHORT.get(word, word) if word in ("-a", "-q") else word
        if not word.startswith("-"):
            services.append(word)
        elif flag in _SWITCHES:
            given[flag] = []
        elif flag in _VALUED and (value := next(rest, "-")) and not value.startswith("-"):
            given.setdefault(flag, []).append(value)
        else:
            return None
    return services, given
