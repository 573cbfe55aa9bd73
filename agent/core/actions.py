"""Actions: what the worker is to do to the engine, one engine call each, and how it went.

An action names its task, its container where there is one, and the cause in words, which goes to
the log as it stands. An outcome is a value too, so that what it means for the task is decided in
`task_machine`, not where it was caught.
"""

from collections.abc import Mapping

from stackctl.model.structs import Model


class CreateContainer(Model, frozen=True, kw_only=True, tag=True):
    """Create the task's container."""

    task_id: str
    cause: str


class ConnectNetwork(Model, frozen=True, kw_only=True, tag=True):
    """Attach a created container to one more of its networks."""

    task_id: str
    container_id: str
    network_id: str
    cause: str


class StartContainer(Model, frozen=True, kw_only=True, tag=True):
    """Start the created container."""

    task_id: str
    container_id: str
    cause: str


class SignalContainer(Model, frozen=True, kw_only=True, tag=True):
    """Send a signal to the container's first process: the stop signal, later SIGKILL.

    The engine's own `stop` would hold a thread for the whole grace period; a signal returns at
    once, and the grace period is a time in the task's record.
    """

    task_id: str
    container_id: str
    signal: str
    cause: str


class TellContents(Model, frozen=True, kw_only=True, tag=True):
    """Write the present contents into the files of a running container whose process is told of
    changes, and tell it by their signals.
    """

    task_id: str
    container_id: str
    signals: tuple[str, ...]
    cause: str


class RemoveContainer(Model, frozen=True, kw_only=True, tag=True):
    """Remove a container that does not run, with its anonymous volumes."""

    task_id: str
    container_id: str
    cause: str


class PullImage(Model, frozen=True, kw_only=True, tag=True):
    """Fetch an image, for every task that waits for it.

    With `refresh_seconds`, one that the engine got less than so long ago is left as it is.
    """

    task_id: str
    image: str
    cause: str
    platform: str = ""  # "" is the engine's own
    refresh_seconds: float | None = None

    @property
    def subject(self) -> str:
        """What is fetched and how: two actions with the same subject are one."""
        return f"{self.image} {self.platform} {self.refresh_seconds}"


class ProbeHealth(Model, frozen=True, kw_only=True, tag=True):
    """Run the container's own health test once, now, ahead of the engine's interval."""

    task_id: str
    container_id: str
    command: tuple[str, ...]
    timeout_seconds: float
    cause: str


Action = (
    CreateContainer
    | ConnectNetwork
    | StartContainer
    | SignalContainer
    | TellContents
    | RemoveContainer
    | PullImage
    | ProbeHealth
)


class Done(Model, frozen=True, kw_only=True, tag=True):
    """The call succeeded; `container_id` is what a creation made, `contents` (`told_contents`) what
    its process can read, or was told of, then.
    """

    container_id: str = ""
    contents: Mapping[str, str] = {}


class ProbeAnswer(Model, frozen=True, kw_only=True, tag=True):
    """The health test ran to an end."""

    healthy: bool


class ImageAbsent(Model, frozen=True, kw_only=True, tag=True):
    """The engine does not have the image."""

    reason: str


class Refused(Model, frozen=True, kw_only=True, tag=True):
    """The engine said no; trying again as it is cannot help."""

    reason: str


class Unavailable(Model, frozen=True, kw_only=True, tag=True):
    """The call could not be made now; worth trying again."""

    reason: str
    retry_after_seconds: float


Outcome = Done | ProbeAnswer | ImageAbsent | Refused | Unavailable
