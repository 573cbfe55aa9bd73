"""Whether a newer assignment's network can wait a moment, so that several are applied as one.

While many tasks start, each that comes up is one more backend in the rules of every container of
every node. What was in force before remains right meanwhile: it leads to fewer backends, and to
none that is gone. Everything else is urgent: a backend that left must not be chosen any longer, and
a network, a task, a neighbour or a service's first backend is something that nothing leads to yet.
"""

from collections.abc import Mapping, Sequence

from stackctl.model.assignment import (
    AssignmentSet,
    Backend,
    EndpointAssignment,
    IngressAssignment,
    TaskAssignment,
)


def can_wait(in_force: AssignmentSet, wanted: AssignmentSet) -> bool:
    """True when `wanted` only adds backends to services that have some, or concerns the network
    not at all."""
    return (
        in_force.networks == wanted.networks
        and in_force.neighbours == wanted.neighbours
        and _attachments(in_force.tasks) == _attachments(wanted.tasks)
        and _only_grow(_by_endpoint(in_force.endpoints), _by_endpoint(wanted.endpoints))
        and _only_grow(_by_port(in_force.ingress), _by_port(wanted.ingress))
    )


def _attachments(tasks: Sequence[TaskAssignment]) -> Mapping[str, object]:
    return {task.id: (task.addresses, task.spec.container.dns) for task in tasks}


def _by_endpoint(
    endpoints: Sequence[EndpointAssignment],
) -> Mapping[object, Sequence[Backend]]:
    return {
        (endpoint.service_id, endpoint.network_id, endpoint.names, endpoint.vip): endpoint.backends
        for endpoint in endpoints
    }


def _by_port(ingress: Sequence[IngressAssignment]) -> Mapping[object, Sequence[Backend]]:
    return {
        (port.service_id, port.network_id, port.protocol, port.published, port.target): (
            port.backends
        )
        for port in ingress
    }


def _only_grow(
    before: Mapping[object, Sequence[Backend]], after: Mapping[object, Sequence[Backend]]
) -> bool:
    return before.keys() == after.keys() and all(
        backends == after[key] or (backends and set(backends) <= set(after[key]))
        for key, backends in before.items()
    )
