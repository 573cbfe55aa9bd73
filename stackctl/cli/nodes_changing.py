"""What `node update` and `node rm` do. Draining goes on until the node is empty."""

from collections.abc import Sequence
from typing import Any

from stackctl.cli import draining
from stackctl.cli.render.errors import render_error
from stackctl.cli.session import Session
from stackctl.cli.waiting import WaitOptions
from stackctl.errors import InputError, StackctlError


def update_node(
    session: Session,
    reference: str,
    *,
    availability: str | None,
    label_add: Sequence[str],
    label_remove: Sequence[str],
    wait: WaitOptions | None = None,
) -> int:
    """Change availability and labels; with `wait`, a drained node is waited for until it is empty.
    Raises NoSuchName, InputError, Conflict, NotConverged.
    """
    update: dict[str, Any] = {}
    if availability is not None:
        update["availability"] = availability
    if label_add:
        update["label_add"] = dict(_label(text) for text in label_add)
    if label_remove:
        update["label_remove"] = list(label_remove)
    if not update:
        raise InputError(
            "nothing to change is given", hint="--availability, --label-add or --label-rm says what"
        )
    node = session.client.update_node(reference, update)
    session.terminal.write(f"{node['hostname']}\n")
    if wait is not None and availability == "drain":
        draining.wait_until_empty(session, node, wait)
    return 0


def remove_nodes(session: Session, references: Sequence[str], *, is_forced: bool) -> int:
    """Forget nodes; the exit code is that of the last one that could not be."""
    code = 0
    for reference in references:
        try:
            session.client.remove_node(reference, force=is_forced)
        except StackctlError as error:
            session.terminal.note(render_error(error))
            code = error.exit_code
        else:
            session.terminal.write(f"{reference}\n")
    return code


def _label(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if not key:
        raise InputError(f"{text!r} is not KEY=VALUE")
    return key, value
