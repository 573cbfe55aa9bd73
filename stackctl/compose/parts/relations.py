"""What binds a service to other services: depends_on, links, volumes_from."""

from enum import StrEnum

import msgspec

from stackctl.compose.problems import Place


class Condition(StrEnum):
    """What a dependent waits for."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(msgspec.Struct, frozen=True):
    """One service that another waits for.

    `restart` restarts the dependent when the dependency is replaced; without `required` a missing
    dependency is no mistake. `implied_by` is the key that says so where it is not `depends_on`.
    """

    key: str
    place: Place
    condition: Condition = Condition.STARTED
    restart: bool = False
    required: bool = True
    implied_by: str = ""


class Link(msgspec.Struct, frozen=True):
    """Another service, found under `alias` too."""

    key: str
    alias: str
    place: Place


class ExternalLink(msgspec.Struct, frozen=True):
    """A container outside of the file, found under `alias` too."""

    container: str
    alias: str
    place: Place


class VolumesFrom(msgspec.Struct, frozen=True):
    """All mounts of another service, or of a container outside of the file."""

    source: str
    place: Place
    is_container: bool = False
    read_only: bool = False
