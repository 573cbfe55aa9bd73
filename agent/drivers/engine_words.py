"""What an engine's refusal means, from its status and its own words."""

from agent.drivers.engine import ImageMissing, NoSuchContainer
from stackctl.errors import PermanentFailure, TemporaryFailure

RETRY_SECONDS = 1.0


class NameTaken(PermanentFailure):
    """Another container bears the name."""


class AlreadyThere(PermanentFailure):
    """The container is on that network already."""


def system_words(error: BaseException) -> str:
    """What happened beneath the layers of libraries, in the system's words where it was that."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    for inner in (*error.args, error.__cause__, error.__context__):
        if isinstance(inner, BaseException):
            return system_words(inner)
    return str(error) or type(error).__name__


def failure_of(status: int, reason: str) -> Exception:
    """The failure that an answer of the engine stands for."""
    if status in (502, 503, 504):
        return TemporaryFailure(reason, retry_after_seconds=RETRY_SECONDS)
    if reason.lower().startswith("no such image"):
        return ImageMissing(reason)
    if status == 404:
        return NoSuchContainer(reason)
    if "already in use by container" in reason:
        return NameTaken(reason)
    if "already exists in network" in reason or "already attached to network" in reason:
        return AlreadyThere(reason)
    return PermanentFailure(reason)


def pull_failure(reason: str) -> PermanentFailure:
    """What the last line of a pull that failed stands for."""
    unknown = ("manifest unknown", "not found", "pull access denied", "does not exist")
    if any(words in reason for words in unknown):
        return ImageMissing(reason)
    return PermanentFailure(reason)
