"""Where the cluster's own images will be needed: the nodes on which a service may run.

How much is free on a node does not count: that changes, the image stays. Nodes that are not there
now fetch an image when a task needs it.
"""

from collections.abc import Iterable

import msgspec

from stackctl.core.scheduling import filters
from stackctl.model import objects, specs
from stackctl.model.cluster_images import is_cluster_image
from stackctl.model.objects import Availability, NodeState


class ImagePlace(msgspec.Struct, frozen=True, order=True):
    """An image, and a node that may need it; `absence` says why the node is not asked now."""

    image: str
    hostname: str
    node_id: str
    absence: str = ""


def image_places(
    services: Iterable[specs.ServiceSpec], nodes: Iterable[objects.Node]
) -> tuple[ImagePlace, ...]:
    """Each image once for each node that some of the services may run on."""
    known = tuple(nodes)
    found = {
        ImagePlace(service.task.container.image, node.hostname, node.id, _absence(node))
        for service in services
        if is_cluster_image(service.task.container.image)
        for node in known
        if _may_run(service.task, node)
    }
    return tuple(sorted(found))


def _may_run(task: specs.TaskSpec, node: objects.Node) -> bool:
    return (
        node.availability == Availability.ACTIVE
        and filters.has_platform(node, task.container.platform)
        and filters.meets_constraints(node, task.placement.constraints)
    )


def _absence(node: objects.Node) -> str:
    return "" if node.state == NodeState.READY else f"the node is {node.state.value}"
