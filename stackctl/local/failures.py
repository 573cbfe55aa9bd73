"""What can go wrong between this program and one engine.

StackctlError
├─ EngineUnavailable   nobody answers at the engine's address
├─ EngineRefusal       the engine said no; `status` is HTTP's
└─ StepFailed          one step of a plan could not be done; `details` are a container's last lines
"""

from stackctl.errors import StackctlError


class EngineUnavailable(StackctlError):
    """The engine could not be asked, or its answer broke off."""


class EngineRefusal(StackctlError):
    """The engine's own words, and the status that came with them."""

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def is_not_found(self) -> bool:
        """Whether the object that was asked for is not there."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """Whether the object's state or name forbids it."""
        return self.status == 409


class StepFailed(StackctlError):
    """A step of a plan failed. `details` are lines to show below the message."""

    def __init__(self, message: str, *, hint: str | None = None, details: str = "") -> None:
        super().__init__(f"{message}\n{details.rstrip()}" if details else message, hint=hint)


class Interrupted(Exception):  # no error: somebody asked for it
    """What was waited for has not come when the waiting was interrupted."""
