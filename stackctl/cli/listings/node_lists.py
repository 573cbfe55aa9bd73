"""`node ls`."""

import time
from collections.abc import Callable, Sequence

from stackctl.cli.listings.options import (
    ListOptions,
    chosen,
    has_label,
    write_list,
    write_names,
)
from stackctl.cli.render.nodes import COLUMNS, in_order, node_rows
from stackctl.cli.session import Session
from stackctl.client.views import NodeView

# A node of ours is accepted by joining: there are no pending ones to filter out.
_FILTERS: dict[str, Callable[[NodeView, str], bool]] = {
    "id": lambda node, text: node["id"].startswith(text),
    "name": lambda node, text: node["hostname"].startswith(text),
    "role": lambda node, text: node["role"] == text,
    "label": lambda node, text: has_label(node["engine_labels"], text),
    "node.label": lambda node, text: has_label(node["labels"], text),
    "membership": lambda _node, text: text == "accepted",
}


def list_nodes(session: Session, _references: Sequence[str], options: ListOptions) -> int:
    """All nodes."""
    shown = in_order(chosen(session.client.nodes(), options.filters, _FILTERS))
    if options.is_quiet:
        write_names(session, (node["id"] for node in shown))
        return 0
    rows = node_rows(shown, now=time.time(), is_table=options.is_table)
    write_list(session, rows, COLUMNS, options)
    return 0
