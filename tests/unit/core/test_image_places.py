"""On which nodes the cluster's own images will be needed."""

from stackctl.core.scheduling.image_places import image_places
from stackctl.model import objects, specs
from stackctl.model.objects import Availability, NodeDescription, NodeState

IMAGE = "stackctl.internal/shop-web:1a2b3c4d5e6f"


def node(name: str, *, arch: str = "amd64", **changed: object) -> objects.Node:
    fields: dict[str, object] = {
        "id": f"id-{name}",
        "role": objects.NodeRole.WORKER,
        "state": NodeState.READY,
        "description": NodeDescription(
            hostname=name, nano_cpus=1, memory_bytes=1, os="linux", arch=arch
        ),
        **changed,
    }
    return objects.Node(**fields)  # type: ignore[arg-type]  # fields as tests name them


def service(image: str = IMAGE, *, name: str = "shop_web", **changed: object) -> specs.ServiceSpec:
    placement = specs.Placement(constraints=tuple(changed.pop("constraints", ())))  # type: ignore[arg-type]  # a tuple of texts
    container = specs.ContainerSpec(image=image, **changed)  # type: ignore[arg-type]  # as tests name them
    return specs.ServiceSpec(
        name=name, task=specs.TaskSpec(container=container, placement=placement)
    )


def hostnames(*services: specs.ServiceSpec, nodes: list[objects.Node]) -> list[str]:
    return [place.hostname for place in image_places(services, nodes)]


def test_an_image_is_needed_where_its_services_may_run() -> None:
    nodes = [
        node("n1"),
        node("n2", labels={"disk": "ssd"}),
        node("n3", labels={"disk": "ssd"}, availability=Availability.DRAIN),
        node("n4", labels={"disk": "ssd"}, arch="arm64"),
    ]
    limited = service(constraints=["node.labels.disk == ssd"], platform="linux/amd64")
    assert hostnames(limited, nodes=nodes) == ["n2"]
    assert hostnames(service(), nodes=nodes) == ["n1", "n2", "n4"]


def test_each_node_needs_an_image_once() -> None:
    both = (service(name="shop_a"), service(name="shop_b"))
    assert hostnames(*both, nodes=[node("n1")]) == ["n1"]


def test_images_of_registries_are_the_engines_affair() -> None:
    assert hostnames(service("busybox"), nodes=[node("n1")]) == []


def test_a_node_that_is_away_is_named_with_the_reason() -> None:
    [place] = image_places([service()], [node("n1", state=NodeState.DOWN)])
    assert (place.hostname, place.absence) == ("n1", "the node is down")
