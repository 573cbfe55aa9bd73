"""`stack ls` and `stack revisions`."""

import time
from collections.abc import Sequence

from stackctl.cli.listings.options import ListOptions, write_list, write_names
from stackctl.cli.render.stacks import (
    COLUMNS,
    REVISION_COLUMNS,
    in_order,
    revision_rows,
    stack_rows,
)
from stackctl.cli.session import Session


def list_stacks(session: Session, _references: Sequence[str], options: ListOptions) -> int:
    """All stacks."""
    shown = in_order(session.client.stacks())
    if options.is_quiet:
        write_names(session, (stack["name"] for stack in shown))
        return 0
    write_list(session, stack_rows(shown, is_table=options.is_table), COLUMNS, options)
    return 0


def list_revisions(session: Session, references: Sequence[str], options: ListOptions) -> int:
    """The revisions of a stack, the newest first. Raises NoSuchName."""
    shown = session.client.stack_revisions(references[0])
    if options.is_quiet:
        write_names(session, (str(revision["number"]) for revision in shown))
        return 0
    rows = revision_rows(shown, now=time.time(), is_table=options.is_table)
    write_list(session, rows, REVISION_COLUMNS, options)
    return 0
