"""What tests of the command line share: the outcome of a command, and services to deploy."""

from collections.abc import Callable
from typing import NamedTuple

from stackctl.model import specs


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


def service_spec(name: str, *, image: str = "web:1", replicas: int = 2) -> specs.ServiceSpec:
    task = specs.TaskSpec(container=specs.ContainerSpec(image=image))
    port = specs.PortSpec(target=80, published=8080)
    return specs.ServiceSpec(
        name=name,
        task=task,
        replicas=replicas,
        ports=(port,) if name.endswith("web") else (),
        labels={"tier": "front"} if name.endswith("web") else {},
    )
