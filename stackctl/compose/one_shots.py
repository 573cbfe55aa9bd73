"""One-shot services: programs that others wait for until they have completed successfully.

Compose restarts a container only when the file says so; Swarm restarts whatever ends. A cluster
takes Swarm's default, except for a service that somebody awaits with `condition:
service_completed_successfully` and whose own restart nobody has stated: that one is restarted only
when it fails, because run again and again it would never be done.
"""

import msgspec

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.compose.parts.relations import Condition
from stackctl.model.specs import RestartCondition, RestartPolicy


def awaited_services(document: Document) -> frozenset[str]:
    """Keys of the services that another one waits for until they have completed."""
    return frozenset(
        dependency.key
        for service in document.services
        for dependency in dependencies_of(service)
        if dependency.condition is Condition.COMPLETED
    )


def restart_policy(service: Service, *, is_awaited: bool) -> RestartPolicy:
    """How the service's tasks are restarted in a cluster."""
    is_stated = service.deploy.restart is not None or bool(service.restart_word)
    if not is_awaited or is_stated:
        return service.restart
    return msgspec.structs.replace(service.restart, condition=RestartCondition.ON_FAILURE)
