"""What `deploy` and `stack deploy` do: read the file, hand it over, follow it."""

from collections.abc import Sequence
from typing import NamedTuple

from stackctl.cli.render.changes import render_changes
from stackctl.cli.session import Session
from stackctl.cli.waiting import Change, WaitOptions, read_stack, wait_for_change
from stackctl.client.convergence import baseline_of


class DeployOptions(NamedTuple):
    """The flags of a deploy."""

    files: Sequence[str]
    is_detached: bool = False
    prunes: bool = False
    wait: WaitOptions = WaitOptions()


def deploy(session: Session, stack_name: str, options: DeployOptions) -> int:
    """Deploy a stack from its Compose file. Raises ComposeProblems, NotConverged and what managers
    refuse.
    """
    # The Compose reader and msgspec are needed here and by no other command.
    from stackctl.compose.load import load_stack_with_notes
    from stackctl.wire import codec

    loaded = load_stack_with_notes(options.files, stack_name, environment=session.environment)
    for note in loaded.notes:
        session.terminal.note(f"note: {note}")
    read = read_stack(stack_name)
    before = read(session.client)
    result = session.client.put_stack(stack_name, codec.to_json(loaded.spec), prune=options.prunes)
    if not options.wait.is_quiet:
        session.terminal.write(render_changes(result["changes"]))
    if options.is_detached:
        return 0
    change = Change(
        service_names=tuple(service.name for service in loaded.spec.services),
        read=read,
        baseline=baseline_of(before),
        show_command=f"stackctl stack ps {stack_name}",
        after_index=result["index"],
    )
    wait_for_change(session, change, options.wait)
    return 0
