"""Events: what applying an entry changed. They only say "look again"; decisions look at objects."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What kind of object changed."""

    CLUSTER = "cluster"
    NODE = "node"
    STACK = "stack"
    SERVICE = "service"
    TASK = "task"
    NETWORK = "network"
    CONFIG = "config"
    SECRET = "secret"  # noqa: S105 - a word, not a password


class Event(msgspec.Struct, frozen=True, gc=False):
    """One object was put or dropped. Service and node ids are set for tasks, as far as known."""

    kind: Kind
    object_id: str
    service_id: str = ""
    node_id: str = ""
