"""What `service explain` does: the scheduler's view of each node for one task."""

from stackctl.cli.listings.options import ListOptions, write_list
from stackctl.cli.render.tables import Columns, Row
from stackctl.cli.session import Session
from stackctl.client.placement_views import NodeVerdict, TaskExplanation

COLUMNS = Columns(
    headers={
        "Node": "NODE",
        "Verdict": "VERDICT",
        "Rank": "RANK",
        "Reason": "REASON",
        "NodeID": "NODE ID",
    },
    shown=("Node", "Verdict", "Rank", "Reason"),
    cut="",
)


def explain_task(session: Session, reference: str, options: ListOptions) -> int:
    """Why a task is where it is, or nowhere. Raises NoSuchName."""
    found = session.client.explain_task(reference)
    if options.is_table:
        session.terminal.write(_headline(found) + "\n")
    rows = [_row(node) for node in found["nodes"]]
    write_list(session, rows, COLUMNS, options)
    return 0


def _headline(found: TaskExplanation) -> str:
    where = f"on {found['node']}" if found["node"] else "without a node"
    lines = [f"{found['name']} ({found['task_id']}) is {found['state']} {where}"]
    if found["cause"]:
        lines.append(f"  made because: {found['cause']}")
    if found["error"]:
        lines.append(f"  {found['error']}")
    return "\n".join(lines)


def _row(node: NodeVerdict) -> Row:
    return {
        "Node": node["hostname"],
        "Verdict": node["verdict"],
        "Rank": str(node["rank"] or "-"),
        "Reason": node["reason"],
        "NodeID": node["node_id"],
    }
