"""The stack and the engine that a single-host command is about, found when they are asked for.

The flags stand before the command (`stackctl -f other.yaml -p shop exec web sh`), because commands
have their own `-f` and `-p`. Without files a command that only looks at what is there needs a name
alone.
"""

from collections.abc import Sequence
from functools import cached_property

from stackctl.cli.compose_reading import show_daily_notes, show_unknown_profiles
from stackctl.cli.session import Session
from stackctl.compose.contents import Purpose
from stackctl.compose.request import LoadRequest
from stackctl.errors import InputError, UnknownName
from stackctl.local import observing, stack_files
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import find_endpoint
from stackctl.local.observed import Container


class LocalStack:
    """One stack on one engine."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def engine(self) -> Engine:
        """The engine of this machine. Raises InputError."""
        return Engine(find_endpoint(self._session.environment))

    @cached_property
    def request(self) -> LoadRequest:
        """What is asked of the reader of files."""
        flags = self._session.stack_flags
        return LoadRequest(
            environment=self._session.environment,
            paths=flags.files,
            stack_name=flags.name,
            is_local=True,
            env_files=flags.env_files,
            profiles=flags.profiles,
            project_directory=flags.directory,
        )

    @cached_property
    def name(self) -> str:
        """The stack's name. Raises InputError."""
        return stack_files.stack_name_of(self.request)

    @property
    def name_separator(self) -> str:
        """What stands between the parts of names that are made up."""
        is_compatible = self._session.stack_flags.is_compatible
        return "_" if is_compatible or self._session.says_yes("COMPOSE_COMPATIBILITY") else "-"

    def read(
        self,
        named: Sequence[str] = (),
        *,
        purpose: Purpose = Purpose.CONTAINERS,
        with_dependencies: bool = True,
    ) -> stack_files.Stack:
        """What the files say, with the services that are named. Raises ComposeProblems."""
        stack = stack_files.load_stack(
            self.request,
            named=named,
            name_separator=self.name_separator,
            purpose=purpose,
            with_dependencies=with_dependencies,
        )
        show_daily_notes(self._session, stack.notes, stack.switched_off)
        show_unknown_profiles(self._session, self.request.profiles, stack.profiles)
        return stack

    def containers(self) -> tuple[Container, ...]:
        """All containers of the stack. Raises EngineUnavailable."""
        return observing.list_containers(self.engine, self.name)

    def containers_of(self, services: Sequence[str]) -> tuple[Container, ...]:
        """Those of some services, all without any. Raises UnknownName."""
        found = [it for it in self.containers() if not it.is_one_off]
        known = {it.service for it in found}
        for service in services:
            if service not in known:
                raise UnknownName("service with containers", service, known=known)
        return tuple(it for it in found if not services or it.service in services)

    def container_of(self, service: str, *, index: int = 0, running: bool = True) -> Container:
        """One container of a service: of that number, else the lowest. Raises UnknownName."""
        there = self.containers_of([service])
        fitting = tuple(it for it in there if it.is_running or not running)
        found = tuple(it for it in fitting if not index or it.number == index)
        if not found:
            number = f" number {index}" if index else ""
            hint = f"stackctl up -d {service} starts it"
            if index and fitting:
                numbers = ", ".join(str(it) for it in sorted(it.number for it in fitting))
                hint = f"--index takes one of {numbers}; stackctl scale {service}=N makes more"
            if index and any(it.number == index for it in there):
                hint = f"stackctl start {service} starts it"
            raise InputError(
                f"service {service} has no {'running ' if running else ''}container{number}",
                hint=hint,
            )
        return min(found, key=lambda it: it.number)
