"""`stackctl lab`: several nodes on this machine, with everything that can happen to them.

Only flags and words are here; `stackctl.lab` does the work. This module is imported when a `lab`
command runs and not before, so it may import at its top what that takes.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from stackctl.cli.render import tables
from stackctl.lab import faults, image_loading, machine, operations, removal, tools
from stackctl.lab import plan as planning
from stackctl.lab import status as lab_status
from stackctl.lab.plan import LabPlan, NodePlan

app = typer.Typer(
    name="lab",
    help="Several nodes on this machine, each with an engine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


class Format(StrEnum):
    """How `status` is printed."""

    TABLE = "table"
    JSON = "json"


class Target(StrEnum):
    """What `kill` ends."""

    NODE = "node"
    AGENT = "agent"
    MANAGER = "manager"
    ENGINE = "engine"


def _examples(*commands: str) -> str:
    lines = [f"  stackctl {command}" for command in commands]
    return "\n".join(["\b", "Examples:", *lines])


LabName = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="LAB",
        envvar="STACKCTL_LAB_NAME",
        help="Which lab, where there are several.",
    ),
]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="A name that `lab status` shows.")]


@app.command(epilog=_examples("lab up", "lab up --nodes 5 --managers 3"))
def up(
    nodes: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="How many nodes.  [default: 3]")
    ] = None,
    managers: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="How many of them are managers.  [default: 1]"),
    ] = None,
    engines_only: Annotated[
        bool, typer.Option("--engines-only", help="Start engines, and nothing of stackctl.")
    ] = False,
    subnet: Annotated[
        str | None,
        typer.Option(metavar="SUBNET", help="The nodes' subnet.  [default: 10.231.0.0/24 if free]"),
    ] = None,
    name: LabName = planning.DEFAULT_NAME,
) -> None:
    """Bring a lab up, or repair and extend the one there is."""
    wishes = operations.Wishes(
        node_count=nodes,
        manager_count=managers,
        subnet=subnet,
        with_engines_only=engines_only,
    )
    operations.up(name, _directory(name), wishes, _report)


@app.command(epilog=_examples("lab down", "lab down --name second"))
def down(name: LabName = planning.DEFAULT_NAME) -> None:
    """Remove the lab with everything in it."""
    machine.require_root()
    removal.down(name, _directory(name), _report)


@app.command(epilog=_examples("lab status", "lab status --format json"))
def status(
    output: Annotated[
        Format, typer.Option("--format", help="A table to read, or JSON.")
    ] = Format.TABLE,
    name: LabName = planning.DEFAULT_NAME,
) -> None:
    """Show the nodes and how they are."""
    rows = lab_status.read_status(_plan(name))
    if output is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        typer.echo(tables.render_grid(lab_status.table_cells(rows)), nl=False)


@app.command(
    name="exec",
    context_settings={"ignore_unknown_options": True},
    epilog=_examples("lab exec worker1 -- docker ps", "lab exec manager1 -- ip address"),
)
def exec_(
    node: NodeName,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    name: LabName = planning.DEFAULT_NAME,
) -> None:
    """Run a command on a node, where docker means its engine."""
    arguments = faults.exec_command(_node(name, node), command)
    os.execvpe(arguments[0], arguments, tools.environment())  # noqa: S606 -- the command takes our place


@app.command(epilog=_examples("lab pause worker1", "lab pause manager1"))
def pause(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Freeze a node, as one pauses a virtual machine."""
    faults.pause(_node(name, node))
    _report(f"{node} is paused")


@app.command(epilog=_examples("lab resume worker1", "lab resume manager1"))
def resume(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Let a paused node go on."""
    faults.resume(_node(name, node))
    _report(f"{node} goes on")


@app.command(epilog=_examples("lab cut worker1", "lab cut manager1"))
def cut(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Take a node's network away; what is on it runs on."""
    faults.cut(_node(name, node))
    _report(f"{node} is cut off")


@app.command(epilog=_examples("lab heal worker1", "lab heal manager1"))
def heal(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Give a node its network back."""
    faults.heal(_node(name, node))
    _report(f"{node} is connected")


@app.command(epilog=_examples("lab kill worker1", "lab kill --what manager manager1"))
def kill(
    node: NodeName,
    what: Annotated[
        Target, typer.Option(help="All of it, as if its power was lost, or one process.")
    ] = Target.NODE,
    name: LabName = planning.DEFAULT_NAME,
) -> None:
    """End a node, or one of its daemons, without asking it."""
    faults.kill(_node(name, node), what.value)
    _report(f"{node} is dead" if what is Target.NODE else f"the {what} of {node} is dead")


@app.command(epilog=_examples("lab start worker1", "lab start manager1"))
def start(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Start whatever of a node does not run."""
    faults.start(_plan(name), _node(name, node), _report)


@app.command(epilog=_examples("lab stop worker1", "lab stop manager1"))
def stop(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Shut a node down in an orderly way."""
    faults.stop(_plan(name), _node(name, node))
    _report(f"{node} is stopped")


@app.command(
    name="restart-engine",
    epilog=_examples("lab restart-engine worker1", "lab restart-engine manager1"),
)
def restart_engine(node: NodeName, name: LabName = planning.DEFAULT_NAME) -> None:
    """Stop a node's engine and start it again."""
    faults.restart_engine(_node(name, node))
    _report(f"the engine of {node} is back")


@app.command(epilog=_examples("lab load shop-web:1.0", "lab load images.tar nginx:1.22"))
def load(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Tags or archives.")],
    name: LabName = planning.DEFAULT_NAME,
) -> None:
    """Put images into every engine that does not have them."""
    machine.require_root()
    image_loading.load(_plan(name), images, _report)


def _directory(name: str) -> Path:
    chosen = os.environ.get("STACKCTL_LAB_DIR")
    return Path(chosen).absolute() if chosen else planning.default_directory(name)


def _plan(name: str) -> LabPlan:
    return operations.find(_directory(name))


def _node(lab: str, name: str) -> NodePlan:
    """The node that something is going to be done to."""
    machine.require_root()
    return operations.find_node(_plan(lab), name)


def _report(line: str) -> None:
    typer.echo(line, err=True)
