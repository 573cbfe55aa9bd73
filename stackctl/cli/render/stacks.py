"""Stacks as rows of `stack ls`."""

from collections.abc import Sequence

from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.views import StackView

COLUMNS = Columns(
    headers={
        "Name": "NAME",
        "Services": "SERVICES",
        "Revision": "REVISION",
        "Removing": "REMOVING",
    },
    shown=("Name", "Services"),
)


def in_order(stacks: Sequence[StackView]) -> list[StackView]:
    """In natural order of the names."""
    return sorted(stacks, key=lambda stack: natural_key(stack["name"]))


def stack_rows(stacks: Sequence[StackView], *, is_table: bool) -> list[Row]:
    """The rows, in the order given; in a table a stack on its way out says so."""
    return [
        {
            "Name": stack["name"],
            "Services": f"{stack['services']} (removing)"
            if is_table and stack["removing"]
            else str(stack["services"]),
            "Revision": str(stack["revision"]),
            "Removing": stack["removing"],
        }
        for stack in stacks
    ]
