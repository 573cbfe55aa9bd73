"""What every command works with: the cluster chosen by flags and environment, and the terminal."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from stackctl.cli.render.terminal import Terminal
from stackctl.client import contexts
from stackctl.client.api import Client

if TYPE_CHECKING:
    from stackctl.client.convergence import Limits


_TRUE = frozenset(("1", "true", "yes", "on"))


class StackFlags(NamedTuple):
    """Which stack of this machine's engine is meant: the flags before the command."""

    files: tuple[str, ...] = ()
    name: str | None = None
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    directory: str | None = None
    is_compatible: bool = False  # --compatibility: names of version 1
    takes_everything: bool = False  # --all-resources


class Session:
    """One run of the program."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        terminal: Terminal,
        limits: "Limits | None" = None,
    ) -> None:
        """`limits` other than the usual ones are for callers in a hurry: tests."""
        self.environment = environment
        self.limits = limits
        self.terminal = terminal
        self.choice = contexts.Choice()
        self.stack_flags = StackFlags()
        self.is_debugging = False
        self.tells_in_json = False  # progress is told in JSON, and so is what goes wrong

    def says_yes(self, variable: str) -> bool:
        """Whether a variable of the environment is set to a word for yes."""
        return self.environment.get(variable, "").lower() in _TRUE

    @cached_property
    def client(self) -> Client:
        """The managers of the chosen cluster. Raises InputError, UnknownName."""
        target = contexts.choose_target(self.choice, self.environment)
        return Client(target.endpoints, identity=target.identity)
