"""What `plan` and `deploy --dry-run` do: read the files, ask the cluster what would happen."""

import json

from stackctl.cli.deploying import DeployOptions, read_stack_files
from stackctl.cli.render.plan import has_changes, render_plan
from stackctl.cli.session import Session
from stackctl.errors import InputError

CHANGES = 10  # exit code: the deploy would change something
LAYOUTS = ("text", "json")


def parse_layout(text: str) -> str:
    """A known layout. Raises InputError."""
    if text not in LAYOUTS:
        raise InputError(f"{text!r} is no format of a plan", hint="write text or json")
    return text


def plan(session: Session, stack_name: str, options: DeployOptions, *, layout: str = "text") -> int:
    """Show what a deploy would do; the exit code says whether it is anything. Raises InputError
    and what managers refuse.
    """
    # msgspec is needed here and by no other command but deploy.
    from stackctl.wire import codec

    spec = read_stack_files(session, stack_name, options)
    view = session.client.plan_stack(
        stack_name, codec.to_json(spec), prune=options.prunes, rerun=options.reruns
    )
    if layout == "json":
        session.terminal.write(json.dumps(view, indent=2) + "\n")
    else:
        session.terminal.write(render_plan(view, paint=session.terminal.paint))
    return CHANGES if has_changes(view) else 0
