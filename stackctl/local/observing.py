"""Asks the engine what a stack has there; `observed` makes values of the answers."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from stackctl.local import labels
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal
from stackctl.local.observed import (
    Container,
    Observed,
    ObservedImage,
    ObservedNetwork,
    ObservedVolume,
    containers_from,
    image_from,
    networks_from,
    volumes_from,
)
from stackctl.local.together import all_together


def list_containers(engine: Engine, stack_name: str) -> tuple[Container, ...]:
    """All containers of a stack, also stopped ones and one-offs."""
    query = {"all": True, "filters": labels.of_stack(stack_name)}
    return containers_from(engine.get("/containers/json", query))


def list_all_containers(engine: Engine) -> tuple[Container, ...]:
    """All containers of all stacks."""
    query = {"all": True, "filters": {"label": [labels.STACK]}}
    return containers_from(engine.get("/containers/json", query))


def list_networks(engine: Engine, names: Sequence[str] | None = None) -> dict[str, ObservedNetwork]:
    """The networks of the engine; with `names`, those alone."""
    found = networks_from(engine.get("/networks"))
    return found if names is None else {name: found[name] for name in names if name in found}


def list_networks_of(engine: Engine, stack_name: str) -> dict[str, ObservedNetwork]:
    """The networks that a stack has made."""
    return networks_from(engine.get("/networks", {"filters": labels.of_stack(stack_name)}))


def list_volumes(engine: Engine) -> dict[str, ObservedVolume]:
    """The volumes of the engine."""
    return volumes_from(engine.get("/volumes").get("Volumes") or ())


def list_volumes_of(engine: Engine, stack_name: str) -> dict[str, ObservedVolume]:
    """The volumes that a stack has made."""
    query = {"filters": labels.of_stack(stack_name)}
    return volumes_from(engine.get("/volumes", query).get("Volumes") or ())


def find_image(engine: Engine, name: str) -> ObservedImage | None:
    """An image of the engine, None when it is not there."""
    try:
        return image_from(engine.get(f"/images/{name}/json"))
    except EngineRefusal as refusal:
        if refusal.is_not_found:
            return None
        raise


def find_images(engine: Engine, names: Iterable[str]) -> dict[str, ObservedImage]:
    """Those of the images that are there, by the names asked for."""
    wanted = sorted(set(names))
    found = all_together([partial(find_image, engine, name) for name in wanted])
    return {name: image for name, image in zip(wanted, found, strict=True) if image is not None}


def observe(engine: Engine, stack_name: str, *, images: Iterable[str]) -> Observed:
    """Everything that a plan needs to know; `images` are the names that services run."""
    asked: list[Callable[[], Any]] = [
        lambda: list_containers(engine, stack_name),
        lambda: list_networks(engine),
        lambda: list_volumes(engine),
        lambda: find_images(engine, images),
    ]
    containers, networks, volumes, found = all_together(asked)
    return Observed(containers, networks, volumes, found)


def inspect(engine: Engine, container: str) -> dict[str, Any]:
    """Everything that the engine says of a container. Raises EngineRefusal."""
    answer: dict[str, Any] = engine.get(f"/containers/{container}/json")
    return answer


def last_lines(engine: Engine, container: str, *, count: int = 10) -> str:
    """The end of what a container wrote, for messages; "" where it cannot be had."""
    from stackctl.local.engine.frames import frames  # noqa: PLC0415 - only when something failed

    query = {"stdout": True, "stderr": True, "tail": str(count)}
    try:
        tty = bool(inspect(engine, container)["Config"]["Tty"])
        with engine.stream("GET", f"/containers/{container}/logs", query) as answer:
            content = b"".join(frame.content for frame in frames(answer.pieces(), tty=tty))
    except (EngineRefusal, KeyError, json.JSONDecodeError):
        return ""
    return content.decode("utf-8", "replace")
