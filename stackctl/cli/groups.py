"""The commands of the program, each imported when it is used and not before.

The table below stands in for the modules in `stackctl --help`; a test holds its words against
theirs.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Entry(NamedTuple):
    """One command: the module whose `app` it is, and its line in the help."""

    module: str
    help: str


ENTRIES: Mapping[str, Entry] = {
    "deploy": Entry(
        "deploy",
        "Deploy a stack from a Compose file, or update it, and wait until it runs.",
    ),
    "plan": Entry(
        "plan",
        "Show what deploying a stack would create, change, move and stop; nothing is changed.",
    ),
    "config": Entry(
        "config",
        "Check Compose files and print what they say together, in one canonical form.",
    ),
    "lint": Entry(
        "lint", "Show what a cluster makes of each key of the Compose files, and every problem."
    ),
    "up": Entry(
        "up",
        "Make and start the services of a Compose file on this engine, and show what they write.",
    ),
    "ps": Entry("ps", "List the containers of a stack on this engine."),
    "ls": Entry("ls", "List the stacks that have containers on this engine."),
    "logs": Entry("logs", "Print what the containers of a stack wrote, in the order of time."),
    "down": Entry("down", "Stop and remove the containers and networks of a stack."),
    "create": Entry(
        "create", "Make the containers, networks and volumes of a Compose file, and start nothing."
    ),
    "start": Entry(
        "start", "Start stopped containers of a stack, in the order of their dependencies."
    ),
    "stop": Entry(
        "stop", "Stop the containers of a stack, dependents first, without removing them."
    ),
    "restart": Entry(
        "restart", "Restart the containers of a stack, and those that restart with them."
    ),
    "scale": Entry("scale", "Make and remove containers until services have so many."),
    "kill": Entry(
        "kill",
        "Send a signal to the containers of a stack, by default the one that ends them at once.",
    ),
    "pause": Entry("pause", "Freeze the processes of a stack's containers."),
    "unpause": Entry("unpause", "Let the processes of paused containers go on."),
    "rm": Entry("rm", "Remove stopped containers of a stack."),
    "build": Entry("build", "Build the images of services that have `build:`."),
    "pull": Entry("pull", "Let the engine fetch the images of the services."),
    "push": Entry(
        "push",
        "Push the images of services that have both `build:` and `image:` to their registries.",
    ),
    "run": Entry("run", "Run a command in a new container of a service, beside those that it has."),
    "watch": Entry(
        "watch",
        "Copy, rebuild or restart as `develop.watch` says whenever files change, until "
        "interrupted.",
    ),
    "exec": Entry("exec", "Run a command in a running container of a service."),
    "attach": Entry(
        "attach",
        "Connect this terminal with a service's container; returns its exit code when it ends.",
    ),
    "cp": Entry("cp", "Copy files between this machine and the containers of a service."),
    "top": Entry("top", "Show the processes of each running container."),
    "stats": Entry(
        "stats", "Show how much processor, memory, network and disk each container uses."
    ),
    "port": Entry(
        "port", "Print where a port of a service's container is published, as ADDRESS:PORT."
    ),
    "images": Entry("images", "Show the images that the stack's containers run."),
    "volumes": Entry(
        "volumes",
        "Show the stack's volumes on this engine, or those that some services have mounted.",
    ),
    "events": Entry("events", "Print what happens to the stack's containers, as it happens."),
    "wait": Entry(
        "wait",
        "Wait until the first container of the services ends; print its exit code and return it.",
    ),
    "stack": Entry("stack", "Stacks: what was deployed from one Compose file."),
    "service": Entry("service", "Services: tasks of one kind, kept at the number wanted."),
    "node": Entry("node", "Nodes: the machines that run tasks."),
    "secret": Entry("secret", "Secrets: files that only the tasks that use them may read."),
    "rebalance": Entry(
        "rebalance", "Move running tasks to better nodes, one at a time, or show what would move."
    ),
    "cluster": Entry("cluster", "The cluster: its managers and their agreement."),
    "join-token": Entry(
        "join_token", "Print the token that lets a node join, and the command to run there."
    ),
    "context": Entry("context", "Contexts: named clusters to talk to."),
    "lab": Entry("lab", "Several nodes on this machine, each with an engine."),
    "version": Entry("version", "Show the versions of this program and of the manager."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        """Names in the order of the help."""
        return list(ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """The command, imported now; None when there is none of that name."""
        entry = ENTRIES.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"stackctl.cli.{entry.module}")
        return typer.main.get_command(module.app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command, or an error that offers the nearest names."""
        # The library compares with commands that it has already; ours are not imported.
        if args and args[0] not in ENTRIES and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(ENTRIES), n=1)
            offer = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{offer}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """The list of commands, from the table instead of the modules."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in ENTRIES.items()])
