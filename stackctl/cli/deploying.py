"""What `deploy` and `stack deploy` do: read the file, hand it over, follow it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from stackctl.cli.render.changes import render_changes
from stackctl.cli.session import Session
from stackctl.cli.waiting import Change, WaitOptions, read_stack, wait_for_change
from stackctl.client.convergence import baseline_of
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.model.specs import StackSpec


class DeployOptions(NamedTuple):
    """The flags of a deploy."""

    files: Sequence[str]
    is_detached: bool = False
    prunes: bool = False
    reruns: bool = False
    wait: WaitOptions = WaitOptions()


def deploy(session: Session, stack_name: str, options: DeployOptions) -> int:
    """Deploy a stack from its Compose file. Raises InputError, NotConverged and what managers
    refuse.
    """
    # msgspec is needed here and by no other command.
    from stackctl.wire import codec

    spec = _read_stack_file(session, stack_name, options.files)
    read = read_stack(stack_name)
    before = read(session.client)
    result = session.client.put_stack(
        stack_name, codec.to_json(spec), prune=options.prunes, rerun=options.reruns
    )
    if not options.wait.is_quiet:
        session.terminal.write(render_changes(result["changes"]))
    if options.is_detached:
        return 0
    change = Change(
        service_names=tuple(service.name for service in spec.services),
        read=read,
        baseline=baseline_of(before),
        show_command=f"stackctl stack ps {stack_name}",
        after_index=result["index"],
    )
    wait_for_change(session, change, options.wait)
    return 0


def _read_stack_file(session: Session, stack_name: str, files: Sequence[str]) -> "StackSpec":
    from stackctl.compose.load import load_stack_with_notes
    from stackctl.compose.problems import ComposeProblems

    try:
        loaded = load_stack_with_notes(files, stack_name, environment=session.environment)
    except ComposeProblems as error:
        # As they stand, without our name in front: editors and CI look for file:line:column.
        session.terminal.note(error.message)
        count = len(error.problems)
        raise InputError(
            f"{count} {'problem' if count == 1 else 'problems'} in the Compose file; "
            "nothing was changed"
        ) from error
    for note in loaded.notes:
        session.terminal.note(f"note: {note}")
    return loaded.spec
