"""`stackctl port`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.errors import StackctlError

app = typer.Typer(name="port", rich_markup_mode=None, add_completion=False)


@app.command(
    name="port",
    epilog="\b\nExamples:\n  stackctl port web 80\n  stackctl port --protocol udp dns 53",
)
def port(
    context: typer.Context,
    service: shared.Service,
    private_port: Annotated[
        int, typer.Argument(metavar="PORT", min=1, max=65535, help="A port of the container.")
    ],
    *,
    index: shared.Index = 0,
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="PROTOCOL", help="tcp, udp or sctp.")
    ] = "tcp",
) -> int:
    """Print where a port of a service's container is published, as ADDRESS:PORT."""
    stack = shared.local_stack_of(context)
    container = stack.container_of(service, index=index)
    for publisher in container.publishers:
        wanted = (private_port, protocol.lower())
        if publisher.published and (publisher.target, publisher.protocol) == wanted:
            address = f"[{publisher.url}]" if ":" in publisher.url else publisher.url
            session = options.session_of(context)
            session.terminal.write(f"{address}:{publisher.published}\n")
            return 0
    raise StackctlError(
        f"port {private_port}/{protocol} of {container.name} is not published",
        hint="`ports:` of the service publishes it; stackctl ps shows what is",
    )
