"""What the engine reports of a stack's containers: `events`."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stackctl.local import labels
from stackctl.local.engine.client import Engine

_OWN = frozenset({"name", "image"})


class ContainerEvent(NamedTuple):
    """Something that happened to a container; `attributes` are the engine's, without Compose's."""

    nanoseconds: int  # since the epoch
    service: str
    id: str
    action: str
    attributes: Mapping[str, str]

    @property
    def at(self) -> datetime:
        """When, in UTC."""
        return datetime.fromtimestamp(self.nanoseconds / 1e9, tz=UTC)


def container_event(message: Mapping[str, Any]) -> ContainerEvent | None:
    """The event in a message of the engine; None for those that are nobody's concern.

    What runs in a container for healthchecks and `exec` is one: there would be nothing else to see.
    """
    action = str(message.get("Action", ""))
    actor = message.get("Actor") or {}
    marks = actor.get("Attributes") or {}
    if message.get("Type") != "container" or action.startswith("exec_"):
        return None
    if marks.get(labels.ONE_OFF, "").lower() == "true":
        return None
    shown = {key: str(value) for key, value in marks.items() if key in _OWN or not _is_mark(key)}
    return ContainerEvent(
        int(message.get("timeNano") or int(message.get("time") or 0) * 1_000_000_000),
        str(marks.get(labels.SERVICE, "")),
        str(actor.get("ID", "")),
        action,
        shown,
    )


def _is_mark(key: str) -> bool:
    return key.startswith(labels.PREFIX)


def follow_events(
    engine: Engine, stack_name: str, *, since: str = "", until: str = ""
) -> Iterator[ContainerEvent]:
    """Events of a stack's containers as they come; with `until` (as the engine reads it) they end.

    Raises EngineUnavailable.
    """
    query = {
        "filters": {**labels.of_stack(stack_name), "type": ["container"]},
        "since": since or None,
        "until": until or None,
    }
    with engine.stream("GET", "/events", query) as answer:
        for line in answer.lines():
            event = container_event(json.loads(line)) if line.strip() else None
            if event is not None:
                yield event
