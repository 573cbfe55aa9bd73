"""Stacks as rows of `stack ls`, and their revisions as rows of `stack revisions`."""

from collections.abc import Sequence

from stackctl.cli.render.ages import render_age
from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.views import StackRevisionView, StackView

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


REVISION_COLUMNS = Columns(
    headers={
        "Revision": "REVISION",
        "CreatedAt": "CREATED",
        "Cause": "CAUSE",
        "Services": "SERVICES",
        "Current": "CURRENT",
    },
    shown=("Revision", "CreatedAt", "Cause", "Services"),
)


def revision_rows(
    revisions: Sequence[StackRevisionView], *, now: float, is_table: bool
) -> list[Row]:
    """The rows, in the order given; in a table a star marks the present one, as with nodes."""
    return [
        {
            "Revision": f"{revision['number']} *"
            if is_table and revision["is_current"]
            else str(revision["number"]),
            "CreatedAt": render_age(revision["at"], now=now),
            "Cause": revision["cause"],
            "Services": ", ".join(
                f"{name}={image}" for name, image in sorted(revision["services"].items())
            ),
            "Current": revision["is_current"],
        }
        for revision in revisions
    ]
