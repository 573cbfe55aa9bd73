"""`stack ls`."""

from collections.abc import Sequence

from stackctl.cli.listings.options import ListOptions, write_list, write_names
from stackctl.cli.render.stacks import COLUMNS, in_order, stack_rows
from stackctl.cli.session import Session


def list_stacks(session: Session, _references: Sequence[str], options: ListOptions) -> int:
    """All stacks."""
    shown = in_order(session.client.stacks())
    if options.is_quiet:
        write_names(session, (stack["name"] for stack in shown))
        return 0
    write_list(session, stack_rows(shown, is_table=options.is_table), COLUMNS, options)
    return 0
