"""`stackctl join-token`."""

from enum import StrEnum
from typing import Annotated

import typer

from stackctl.cli import options
from stackctl.errors import Denied

app = typer.Typer(name="join-token", rich_markup_mode=None, add_completion=False)


class Role(StrEnum):
    """What the new node will be."""

    WORKER = "worker"
    MANAGER = "manager"


_COMMANDS = {
    Role.WORKER: "stackctl-agent --data-address ADDRESS",
    Role.MANAGER: "stackctl-manager --advertise-address ADDRESS",
}


@app.command(
    name="join-token",
    epilog="\b\nExamples:\n  stackctl join-token worker\n  stackctl join-token -q manager",
)
def join_token(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="What the new node will be.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token only.")] = False,
) -> int:
    """Print the token that lets a node join, and the command to run there.

    Whoever has the token can enter the cluster.
    """
    session = options.session_of(context)
    cluster = session.client.cluster()
    token = {
        Role.WORKER: cluster["worker_join_token"],
        Role.MANAGER: cluster["manager_join_token"],
    }[role]
    if not token:
        raise Denied(
            "the manager does not show its join tokens to this caller",
            hint="ask on a manager node, through its unix socket",
        )
    if quiet:
        session.terminal.write(f"{token}\n")
        return 0
    joins = " ".join(f"--join {address}" for address in cluster["addresses"])
    session.terminal.write(
        f"To add a {role.value} to this cluster, run on the new node, ADDRESS being its own:\n\n"
        f"    {_COMMANDS[role]} --join-token {token} {joins}\n\n"
    )
    return 0
