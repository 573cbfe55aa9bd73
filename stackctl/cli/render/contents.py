"""Configs and secrets as rows: one for each content that a name has or had."""

from collections.abc import Sequence

from stackctl.cli.render.ages import render_age
from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.content_views import ContentView
from stackctl.model.ids import short_id

COLUMNS = Columns(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Version": "VERSION",
        "State": "STATE",
        "Digest": "DIGEST",
        "UsedBy": "USED BY",
        "KeptFor": "KEPT FOR",
        "CreatedAt": "CREATED",
        "Stack": "STACK",
    },
    shown=("ID", "Name", "Version", "State", "Digest", "UsedBy", "CreatedAt"),
)


def in_order(contents: Sequence[ContentView]) -> list[ContentView]:
    """In natural order of the names, the newest content of a name first."""
    return sorted(contents, key=lambda content: (natural_key(content["name"]), -content["number"]))


def content_rows(contents: Sequence[ContentView], *, now: float) -> list[Row]:
    """The rows, in the order given."""
    return [
        {
            "ID": short_id(content["id"]),
            "Name": content["name"],
            "Version": str(content["number"]),
            "State": _state(content),
            "Digest": content["digest"],
            "UsedBy": ", ".join(content["used_by"]),
            "KeptFor": ", ".join(content["kept_for"]),
            "CreatedAt": render_age(content["created_at"], now=now),
            "Stack": content["stack"],
        }
        for content in contents
    ]


def _state(content: ContentView) -> str:
    if content["is_current"]:
        return "current"
    return "removing" if content["removing"] else "former"
