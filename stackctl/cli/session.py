"""What every command works with: the cluster chosen by flags and environment, and the terminal."""

from collections.abc import Mapping
from functools import cached_property

from stackctl.cli.render.terminal import Terminal
from stackctl.client import contexts
from stackctl.client.api import Client


class Session:
    """One run of the program."""

    def __init__(self, *, environment: Mapping[str, str], terminal: Terminal) -> None:
        self.environment = environment
        self.terminal = terminal
        self.choice = contexts.Choice()
        self.is_debugging = False

    @cached_property
    def client(self) -> Client:
        """The managers of the chosen cluster. Raises InputError, UnknownName."""
        target = contexts.choose_target(self.choice, self.environment)
        return Client(target.endpoints, identity=target.identity)
