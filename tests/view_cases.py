"""Views as the API would send them, with only what a test cares about said."""

from typing import Any

import msgspec

from stackctl.client import views
from stackctl.wire import api


def service(name: str = "web", **fields: Any) -> views.ServiceView:
    """A service of the stack `shop`."""
    usual: dict[str, Any] = {
        "id": f"{name}id",
        "name": name,
        "stack": "shop",
        "mode": "replicated",
        "running": 0,
        "desired": 1,
        "image": "web:1",
    }
    return views.complete_service(_answer(api.ServiceView, usual | fields))


def update(state: str, message: str = "", **fields: Any) -> dict[str, Any]:
    """Where an update stands."""
    usual: dict[str, Any] = {"state": state, "message": message, "started_at": 10.0}
    return usual | fields


def task(name: str, *, number: int = 1, **fields: Any) -> views.TaskView:
    """The `number`th task in a slot, `web.1`."""
    service_name, _, slot = name.rpartition(".")
    usual: dict[str, Any] = {
        "id": f"{slot}task{number}{service_name}".ljust(25, "0"),
        "name": name,
        "service_id": f"{service_name}id",
        "service": service_name,
        "stack": "shop",
        "slot": int(slot) if slot.isdigit() else 0,
        "image": "web:1",
        "node_id": "n1node0000000000000000000",
        "node": "n1",
        "node_state": "ready",
        "desired_state": "running",
        "state": "running",
        "state_at": 0,
        "message": "",
        "error": "",
        "cause": "service created",
        "end_cause": "",
        "created_at": 0,
        "is_current": True,
    }
    return views.complete_task(_answer(api.TaskView, usual | fields))


def node(name: str, **fields: Any) -> views.NodeView:
    """A node."""
    usual: dict[str, Any] = {
        "id": f"{name}node".ljust(25, "0"),
        "hostname": name,
        "role": "worker",
        "availability": "active",
        "state": "ready",
        "state_message": "",
        "state_at": 0,
        "manager_status": "",
        "is_self": False,
        "engine_version": "20.10.24",
        "address": "192.0.2.1",
        "nano_cpus": 2_000_000_000,
        "memory_bytes": 4 << 30,
        "reserved_nano_cpus": 0,
        "reserved_memory_bytes": 0,
        "tasks_running": 0,
    }
    return views.complete_node(_answer(api.NodeView, usual | fields))


def _answer(kind: type[Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as JSON of the real struct: a field that it lacks is refused."""
    unknown = fields.keys() - kind.__struct_fields__
    assert not unknown, f"{kind.__name__} has no {unknown}"
    answer: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(msgspec.convert(fields, kind, strict=False))
    )
    return answer
