"""`stackctl attach`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.local import attaching, observing
from stackctl.local.streams.detach_keys import USUAL, parse_detach_keys

app = typer.Typer(name="attach", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl attach web
  stackctl attach --no-stdin --index 2 web"""


@app.command(name="attach", epilog=EPILOG)
def attach(
    context: typer.Context,
    service: shared.Service,
    *,
    detach_keys: Annotated[
        str, typer.Option("--detach-keys", metavar="KEYS", help="Keys that leave it running.")
    ] = USUAL,
    index: shared.Index = 0,
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help="Pass no input on.")] = False,
    sig_proxy: Annotated[
        bool, typer.Option("--sig-proxy/--no-sig-proxy", help="Pass signals on.")
    ] = True,
) -> int:
    """Connect this terminal with a service's container; returns its exit code when it ends."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    container = stack.container_of(service, index=index)
    config = observing.inspect(stack.engine, container.id)["Config"]
    has_input = bool(config.get("OpenStdin")) and not no_stdin
    wanted = attaching.AttachOptions(
        tty=bool(config.get("Tty")),
        show=session.terminal.pass_on,
        stdin=shared.stdin_descriptor() if has_input else None,
        keys=parse_detach_keys(detach_keys),
        forwards_signals=sig_proxy,
    )
    answer = attaching.open_attachment(stack.engine, container.id, has_input=has_input)
    if attaching.follow_attachment(stack.engine, container.id, answer, wanted):
        return 0
    return attaching.wait_for_end(stack.engine, container.id)
