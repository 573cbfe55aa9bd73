"""A plan: what is to be done to the engine, as values.

A *step* is one thing done to one object, with the steps that come before it and its cause in
words. Containers are known by their names, because those that a plan makes have no id yet.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stackctl.compose.parts.lifecycle import Hook
from stackctl.compose.parts.relations import Condition
from stackctl.local.container_body import ContainerPlan
from stackctl.local.resources import Body


class CreateNetwork(NamedTuple):
    """A network is made."""

    body: Body


class RemoveNetwork(NamedTuple):
    """A network goes; one that somebody still uses stays, with a warning."""

    name: str
    disconnects: tuple[str, ...] = ()  # containers that leave it first


class CreateVolume(NamedTuple):
    """A volume is made."""

    body: Body


class RemoveVolume(NamedTuple):
    """A volume goes; one that somebody still uses stays, with a warning."""

    name: str


class RemoveImage(NamedTuple):
    """An image goes; one that somebody still uses stays, with a warning."""

    name: str


class CreateContainer(NamedTuple):
    """A container is made, under another name as long as its predecessor is there."""

    container: ContainerPlan
    temporary_name: str = ""
    platform: str = ""


class RenameContainer(NamedTuple):
    """A container gets the name of the one that it replaces."""

    name: str
    new_name: str


class StartContainer(NamedTuple):
    """A container starts, then its hooks run."""

    name: str
    service: str
    hooks: tuple[Hook, ...] = ()


class StopContainer(NamedTuple):
    """A container stops; None is its own time to do so. `hooks` run first."""

    name: str
    timeout_seconds: int | None = None
    hooks: tuple[Hook, ...] = ()


class RemoveContainer(NamedTuple):
    """A stopped container goes; `volumes` are its anonymous ones."""

    name: str
    volumes: bool = False
    forces: bool = False


class Await(NamedTuple):
    """Nothing is changed until all containers of a service are as its dependents need them."""

    service: str
    containers: tuple[str, ...]
    condition: Condition
    is_required: bool = True


class RunHook(NamedTuple):
    """A container that runs to its end before those of a service start."""

    container: ContainerPlan


Action = (
    CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | RemoveImage
    | CreateContainer
    | RenameContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
    | Await
    | RunHook
)


class Step(NamedTuple):
    """One action. `shows` is what it tells while it goes on and when it is done; () is nothing."""

    key: str  # unique in its plan
    resource: str  # Container shop-web-1
    action: Action
    cause: str
    needs: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()


class Plan(NamedTuple):
    """Steps in an order in which they could be done one after the other."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_lines(plan: Plan) -> Sequence[str]:
    """The plan for people: one line a step that shows anything, with its cause."""
    return [f"{step.resource}  {_words(step)}: {step.cause}" for step in plan.steps if step.shows]


def _words(step: Step) -> str:
    return step.shows[-1]
