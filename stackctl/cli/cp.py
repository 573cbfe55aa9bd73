"""`stackctl cp`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.session import Session
from stackctl.errors import InputError
from stackctl.local import copying
from stackctl.local.engine.client import Engine
from stackctl.local.observed import Container

app = typer.Typer(name="cp", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl cp nginx.conf web:/etc/nginx/
  stackctl cp db:/var/lib/postgresql/data - > data.tar"""

_STREAM = "-"
_PIECE_BYTES = 256 * 1024


class Origin(NamedTuple):
    """A path of a container."""

    container_id: str
    path: str


class Side(NamedTuple):
    """One side of a copy; `service` is "" on this machine."""

    service: str
    path: str


@app.command(name="cp", epilog=EPILOG)
def cp(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="[SERVICE:]PATH, or - (tar).")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="[SERVICE:]PATH, or - (tar).")],
    *,
    to_all: Annotated[
        bool, typer.Option("--all", help="Copy also to containers that run made.")
    ] = False,
    archive: Annotated[
        bool, typer.Option("--archive", "-a", help="Keep the numbers of users and groups.")
    ] = False,
    follow_link: Annotated[
        bool, typer.Option("--follow-link", "-L", help="Copy what a link leads to.")
    ] = False,
    index: shared.Index = 0,
) -> int:
    """Copy files between this machine and the containers of a service."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    origin, destination = parse_side(source), parse_side(target)
    wanted = copying.CopyOptions(keeps_owner=archive, follows_link=follow_link)
    if bool(origin.service) == bool(destination.service):
        raise InputError(
            "one side of a copy is a service, the other is not",
            hint="stackctl cp SERVICE:PATH PATH, or stackctl cp PATH SERVICE:PATH",
        )
    if origin.service:
        container = stack.container_of(origin.service, index=index, running=False)
        _copy_out(session, stack.engine, Origin(container.id, origin.path), target, wanted)
        return 0
    for container in _receivers(stack, destination.service, index=index, to_all=to_all):
        _copy_in(stack, container, source, destination.path, wanted)
    return 0


def parse_side(text: str) -> Side:
    """`web:/etc` is in a service; a path with a slash before the colon is not."""
    before, colon, after = text.partition(":")
    if not colon or not before or "/" in before or before.startswith("."):
        return Side("", text)
    if not after:
        raise InputError(f"{text!r} names no path", hint="write SERVICE:PATH")
    return Side(before, after)


def _receivers(stack: LocalStack, service: str, *, index: int, to_all: bool) -> list[Container]:
    if index:
        return [stack.container_of(service, index=index, running=False)]
    found = list(stack.containers_of([service]))
    if to_all:
        found += [it for it in stack.containers() if it.is_one_off and it.service == service]
    return found


def _copy_in(
    stack: LocalStack, container: Container, source: str, path: str, wanted: copying.CopyOptions
) -> None:
    if source == _STREAM:
        copying.send_stream(stack.engine, container.id, path, _standard_input(), wanted)
        return
    # A trailing `/.` means the content of a folder, and Path would drop it.
    ends_in_dot = source.endswith("/.") or source == "."
    copying.copy_in(
        stack.engine, container.id, Path(source), path, wanted, is_content_alone=ends_in_dot
    )


def _copy_out(
    session: Session, engine: Engine, origin: Origin, target: str, wanted: copying.CopyOptions
) -> None:
    if target != _STREAM:
        copying.copy_out(engine, origin.container_id, origin.path, Path(target), wanted)
        return
    for piece in copying.fetch_stream(engine, origin.container_id, origin.path):
        session.terminal.pass_on(piece)


def _standard_input() -> Iterator[bytes]:
    while piece := sys.stdin.buffer.read(_PIECE_BYTES):
        yield piece
