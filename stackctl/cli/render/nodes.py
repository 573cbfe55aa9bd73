"""Nodes as rows of `node ls`; the node that answers has a star behind its ID."""

from collections.abc import Sequence

from stackctl.cli.render.ages import render_age
from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.views import NodeView

COLUMNS = Columns(
    headers={
        "ID": "ID",
        "Hostname": "HOSTNAME",
        "Status": "STATUS",
        "Availability": "AVAILABILITY",
        "ManagerStatus": "MANAGER STATUS",
        "EngineVersion": "ENGINE VERSION",
        "Self": "SELF",
        "Address": "ADDRESS",
        "StatusMessage": "STATUS MESSAGE",
    },
    shown=("ID", "Hostname", "Status", "Availability", "ManagerStatus", "EngineVersion"),
)


def in_order(nodes: Sequence[NodeView]) -> list[NodeView]:
    """In natural order of the host names."""
    return sorted(nodes, key=lambda node: (natural_key(node["hostname"]), node["id"]))


def node_rows(nodes: Sequence[NodeView], *, now: float, is_table: bool) -> list[Row]:
    """The rows, in the order given; in a table a node that is not ready says since when."""
    return [
        {
            "ID": f"{node['id']} *" if is_table and node["is_self"] else node["id"],
            "Hostname": node["hostname"],
            "Status": _status(node, now) if is_table else node["state"].capitalize(),
            "Availability": node["availability"].capitalize(),
            "ManagerStatus": node["manager_status"].capitalize(),
            "EngineVersion": node["engine_version"],
            "Self": node["is_self"],
            "Address": node["address"],
            "StatusMessage": node["state_message"],
        }
        for node in nodes
    ]


def _status(node: NodeView, now: float) -> str:
    state = node["state"].capitalize()
    if node["state"] == "ready" or not node["state_at"]:
        return state
    return f"{state} {render_age(node['state_at'], now=now)}"
