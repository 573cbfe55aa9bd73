"""Names as Compose makes them, so that other tools know a stack's objects and we know theirs.

Containers have hyphens, networks and volumes an underscore (their full names are in the document
already), images that are built here a hyphen. `--compatibility` asks for version 1's names, which
have an underscore everywhere; each service carries its separator.
"""

from stackctl.compose.document import Service


def container_name(stack_name: str, service: Service, number: int) -> str:
    """`shop-web-1`, or the name that the file gives."""
    parts = (stack_name, service.key, str(number))
    return service.container_name or service.name_separator.join(parts)


def built_image(stack_name: str, service_key: str, separator: str = "-") -> str:
    """The name of an image that is built for a service without `image:`.

    A stack of a cluster may have capitals in its name, an image may not.
    """
    return f"{stack_name.lower()}{separator}{service_key}"


def image_of(stack_name: str, service: Service) -> str:
    """The image that a service's containers run."""
    made_up = built_image(stack_name, service.key, service.name_separator)
    return service.container.image or made_up
