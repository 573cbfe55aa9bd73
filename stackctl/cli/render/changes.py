"""What a deploy did, a line for each change with its cause."""

from collections.abc import Sequence

from stackctl.client.views import Change

_VERBS = {"create": "Creating", "update": "Updating", "remove": "Removing"}


def render_changes(changes: Sequence[Change]) -> str:
    """`Creating service shop_web (new in the file)`; what stays as it is is counted only."""
    lines = [_render_change(change) for change in changes if change["action"] != "unchanged"]
    unchanged = [change for change in changes if change["action"] == "unchanged"]
    services = sum(1 for change in unchanged if change["kind"] == "service")
    if not lines:
        lines = ["Nothing to change"]
    elif services:
        lines.append(f"Unchanged: {services} {'service' if services == 1 else 'services'}")
    return "".join(f"{line}\n" for line in lines)


def _render_change(change: Change) -> str:
    verb = _VERBS.get(change["action"], change["action"].capitalize())
    line = f"{verb} {change['kind']} {change['name']}"
    return f"{line} ({change['cause']})" if change["cause"] else line
