"""`stackctl images`."""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.listings.options import ListOptions, write_list, write_names
from stackctl.cli.moments import parse_moment
from stackctl.cli.render.ages import render_age
from stackctl.cli.render.amounts import render_decimal_bytes
from stackctl.cli.render.tables import Columns, Row
from stackctl.local.image_transfer import split_reference
from stackctl.local.observed import Container

app = typer.Typer(name="images", rich_markup_mode=None, add_completion=False)

COLUMNS = Columns(
    headers={
        "ContainerName": "CONTAINER",
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "Platform": "PLATFORM",
        "ID": "IMAGE ID",
        "Size": "SIZE",
        "Created": "CREATED",
    },
    shown=("ContainerName", "Repository", "Tag", "Platform", "ID", "Size", "Created"),
)
_SHORT_ID = 12


@app.command(
    name="images", epilog="\b\nExamples:\n  stackctl images\n  stackctl images --format json web"
)
def images(
    context: typer.Context,
    services: shared.Services = None,
    *,
    layout: shared.Layout = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")] = False,
) -> int:
    """Show the images that the stack's containers run."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    containers = stack.containers_of(services or ())
    ids = sorted({container.image_id for container in containers})
    found = {image_id: stack.engine.get(f"/images/{image_id}/json") for image_id in ids}
    if quiet:
        write_names(session, (image_id.removeprefix("sha256:") for image_id in ids))
        return 0
    now = time.time()
    rows = [image_row(container, found[container.image_id], now=now) for container in containers]
    if layout == "json":
        session.terminal.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return 0
    write_list(session, rows, COLUMNS, ListOptions(layout=layout))
    return 0


def image_row(container: Container, image: Mapping[str, Any], *, now: float) -> Row:
    """What is shown of one container's image."""
    repository, tag = _names(container, image)
    variant = image.get("Variant") or ""
    platform = "/".join(
        part for part in (image.get("Os"), image.get("Architecture"), variant) if part
    )
    return {
        "ContainerName": container.name,
        "Repository": repository,
        "Tag": tag,
        "Platform": platform,
        "ID": str(image["Id"]).removeprefix("sha256:")[:_SHORT_ID],
        "Size": render_decimal_bytes(int(image.get("Size") or 0)),
        "Created": render_age(parse_moment(str(image.get("Created") or 0), now=now), now=now),
    }


def _names(container: Container, image: Mapping[str, Any]) -> tuple[str, str]:
    """The name under which the container was made, if the image still has it."""
    tags = image.get("RepoTags") or []
    wanted = split_reference(container.image)
    for tag in (f"{wanted.name}:{wanted.tag}", *tags):
        if tag in tags:
            return tuple(split_reference(tag))  # type: ignore[return-value]  # a pair
    return "<none>", "<none>"
