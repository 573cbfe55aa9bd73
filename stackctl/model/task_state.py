"""Task states: Swarm's names, order and numbers, with gaps; an observed state only grows.

Because states are ordered, two reports about one task can always be ordered too: the larger wins
and the
smaller is dropped. The manager writes states below ASSIGNED and ORPHANED, the agent all others.
Source: Swarm's task model (names, numbers and meanings).
"""

from enum import IntEnum


class TaskState(IntEnum):
    """What is known of a task (observed), or what it should be (desired)."""

    NEW = 0  # created, nothing allocated
    PENDING = 64  # addresses allocated, waits for a node
    ASSIGNED = 192  # node chosen
    ACCEPTED = 256  # the agent has it
    PREPARING = 320  # image being fetched, container being created
    READY = 384  # container created, waits until RUNNING is desired
    STARTING = 448  # start issued, waits for its health check
    RUNNING = 512  # started, and healthy where there is a health check
    COMPLETE = 576  # ended with exit code 0
    SHUTDOWN = 640  # stopped because it was asked to
    FAILED = 704  # ended with another exit code, or unhealthy
    REJECTED = 768  # could not be started at all (image, mount, constraint)
    REMOVE = 800  # desired only: delete it once it has ended
    ORPHANED = 832  # its node is gone for good

    @property
    def title(self) -> str:
        """The state as tables print it: `Running`."""
        return self.name.capitalize()


def is_terminal(state: TaskState) -> bool:
    """True when the container, if there ever was one, will never run again."""
    return state > TaskState.RUNNING


def is_active_wish(desired: TaskState) -> bool:
    """True while somebody still wants the task: desired READY, RUNNING or COMPLETE (jobs)."""
    return desired <= TaskState.COMPLETE
