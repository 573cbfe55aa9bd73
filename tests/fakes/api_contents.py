"""Configs and secrets of the fake cluster: the current content of each name, and former ones."""

import hashlib
import time

from msgspec.structs import replace

from stackctl.model import specs
from stackctl.wire import api


def deployed(
    held: list[api.ContentView], spec: specs.StackSpec
) -> tuple[list[api.ContentView], list[api.Change]]:
    """What there is after a deploy, and what changed."""
    changes = []
    contents: list[tuple[str, specs.ConfigSpec | specs.SecretSpec]] = [
        *(("config", config) for config in spec.configs),
        *(("secret", secret) for secret in spec.secrets),
    ]
    for kind, each in contents:
        digest = hashlib.sha256(f"{kind} {each.name} ".encode() + each.content).hexdigest()
        former = [item for item in held if (item.kind, item.name) == (kind, each.name)]
        if any(item.is_current and item.digest == digest[:12] for item in former):
            changes.append(api.Change(action="unchanged", kind=kind, name=each.name))
            continue
        held = [replace(item, is_current=False) if item in former else item for item in held]
        view = api.ContentView(
            id=digest[:25],
            kind=kind,
            name=each.name,
            stack=spec.name,
            number=len(former) + 1,
            digest=digest[:12],
            is_current=True,
            used_by=_users(spec, kind, each.name),
            labels=each.labels,
            created_at=time.time(),
        )
        held = [*held, view]
        cause = "content changed" if former else "new in the file"
        action = "update" if former else "create"
        changes.append(api.Change(action=action, kind=kind, name=each.name, cause=cause))
    return held, changes


def _users(spec: specs.StackSpec, kind: str, name: str) -> tuple[str, ...]:
    return tuple(
        service.name
        for service in spec.services
        for reference in getattr(service.task.container, f"{kind}s")
        if reference.name == name
    )
