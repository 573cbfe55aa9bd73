"""Services as rows of `service ls` and `stack services`."""

from collections.abc import Sequence

from stackctl.cli.render.images import without_digest
from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.ports import render_ports
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.views import ServiceView
from stackctl.model.ids import short_id

COLUMNS = Columns(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Mode": "MODE",
        "Replicas": "REPLICAS",
        "Image": "IMAGE",
        "Ports": "PORTS",
        "Update": "UPDATE",
        "Stack": "STACK",
    },
    shown=("ID", "Name", "Mode", "Replicas", "Image", "Ports"),
)


def in_order(services: Sequence[ServiceView]) -> list[ServiceView]:
    """In natural order of the names."""
    return sorted(services, key=lambda service: natural_key(service["name"]))


def service_rows(services: Sequence[ServiceView]) -> list[Row]:
    """The rows, in the order given."""
    return [
        {
            "ID": short_id(service["id"]),
            "Name": service["name"],
            "Mode": service["mode"].replace("-", " "),
            "Replicas": _replicas(service),
            "Image": without_digest(service["image"]),
            "Ports": render_ports(service["ports"], mode="ingress"),
            "Update": service["update"]["state"] if service["update"] else "",
            "Stack": service["stack"],
        }
        for service in services
    ]


def _replicas(service: ServiceView) -> str:
    count = f"{service['running']}/{service['desired']}"
    if service["removing"]:
        return f"{count} (removing)"
    if service["completions"]:
        return f"{count} ({service['completed']}/{service['completions']} completed)"
    if service["replicas_per_node_max"]:
        return f"{count} (max {service['replicas_per_node_max']} per node)"
    return count
