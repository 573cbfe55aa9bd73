"""A container as the fake engine remembers it."""

from dataclasses import dataclass, field
from typing import Any

from agent.core.observed import ContainerState, Health
from agent.drivers.engine import LogEntry
from tests.fakes.programs import Program


@dataclass
class FakeContainer:
    """A container in the fake's memory."""

    id: str
    name: str
    body: dict[str, Any]
    program: Program
    state: ContainerState = ContainerState.CREATED
    started_at: float = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    health: Health = Health.NONE
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[LogEntry] = field(default_factory=list)
    pid: int = 0
    told: list[str] = field(default_factory=list)  # signals that it goes on after
