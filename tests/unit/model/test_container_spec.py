"""The container's spec grows; what was written before it grew is still read."""

from typing import Any

from stackctl.model import specs
from stackctl.wire import codec


def test_a_container_takes_no_more_room_for_what_is_not_said() -> None:
    said: dict[str, Any] = {"image": "app:1", "tty": True, "healthcheck": {"retries": 3}}
    container = specs.ContainerSpec(
        image="app:1", tty=True, healthcheck=specs.Healthcheck(retries=3)
    )
    assert codec.unpack(codec.pack(container), dict) == said
    assert codec.unpack(codec.pack(said), specs.ContainerSpec) == container
