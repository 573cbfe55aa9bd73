"""Names as Compose makes them, so that other tools know a stack's objects and we know theirs.

Containers have hyphens, networks and volumes an underscore (their full names are in the document
already), images that are built here a hyphen.
"""

from stackctl.compose.document import Service


def container_name(stack_name: str, service: Service, number: int) -> str:
    """`shop-web-1`, or the name that the file gives."""
    return service.container_name or f"{stack_name}-{service.key}-{number}"


def built_image(stack_name: str, service_key: str) -> str:
    """The name of an image that is built for a service without `image:`."""
    return f"{stack_name}-{service_key}"


def image_of(stack_name: str, service: Service) -> str:
    """The image that a service's containers run."""
    return service.container.image or built_image(stack_name, service.key)


def short_name(stack_name: str, name: str) -> str:
    """A container's name without the stack's, as logs show it."""
    return name.removeprefix(f"{stack_name}-")
