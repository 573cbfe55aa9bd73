"""The network of the newest assignment, applied in a thread of its own.

Applying takes from milliseconds to seconds and must not hold up stops. Sets that arrive meanwhile
are coalesced: the newest wins, because each is complete. A set is written to disk first; only what
is in force is reported, so that the managers know which backends no node balances to any longer.

A set that takes something away is applied at once. One that merely adds backends waits a moment for
company, the longer the more containers there are whose rules it changes; the first one after a rest
does not wait.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from agent.core import network_urgency
from agent.drivers.disk import AgentFolder
from agent.drivers.task_files import TaskFiles
from agent.drivers.task_rules import ContainerSandbox
from stackctl.errors import DriverFailure
from stackctl.model.assignment import AssignmentSet, NetworkAssignment

RETRY_SECONDS = 1.0
REST_SECONDS_MAX = 0.2
# A container's rules cost about a millisecond: additions take some 1 % of a processor.
ADDITIONS_REST_PER_CONTAINER_SECONDS = 0.1
ADDITIONS_REST_SECONDS_MAX = 1.0

_log = logging.getLogger(__name__)


class NetworkControl(Protocol):
    """The node's part in the overlay networks; `agent.network.NodeNetwork` is the real one."""

    @property
    def rules_index(self) -> int:
        """Newest assignment whose backends, and no others, are chosen on this node."""

    def ensure_networks(self, networks: Iterable[NetworkAssignment]) -> Mapping[str, str]:
        """Make the engine's networks; returns network id -> engine name."""

    def apply(self, assignment: AssignmentSet, containers: Mapping[str, ContainerSandbox]) -> None:
        """Put overlay, DNS, VIP and ingress rules of this set in force."""

    def container_started(self, sandbox: ContainerSandbox) -> None:
        """A container has a namespace from now on."""

    def container_ended(self, task_id: str) -> None:
        """A task's container has no namespace any longer."""

    def dns_servers(self, task_networks: Iterable[str]) -> tuple[str, ...]:
        """The DNS servers of a container on these networks (ids)."""

    def close(self, *, remove: bool) -> None:
        """Stop serving; with `remove`, take everything down."""


class NetworkPart:
    """Keeps the node's network at the newest assignment."""

    def __init__(
        self,
        *,
        network: NetworkControl,
        folder: AgentFolder,
        files: TaskFiles,
        sandboxes: Callable[[], Mapping[str, ContainerSandbox]],
        on_networks: Callable[[Mapping[str, str]], None],
        on_applied: Callable[[int], None],
    ) -> None:
        self._network = network
        self._folder = folder
        self._files = files
        self._sandboxes = sandboxes
        self._on_networks = on_networks
        self._on_applied = on_applied
        self._changed = threading.Condition()
        self._wanted: AssignmentSet | None = None
        self._kept: AssignmentSet | None = None
        self._made: tuple[NetworkAssignment, ...] | None = None  # the engine has these
        self._ending = False

    def start(self) -> None:
        """Begin to apply what is handed over."""
        threading.Thread(target=self._run, name="network", daemon=True).start()

    def stop(self) -> None:
        """Apply nothing more."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def hand_over(self, assignment: AssignmentSet, *, is_kept: bool = False) -> None:
        """This is the newest set; `is_kept` when it came from the disk."""
        self._files.claim(assignment)
        with self._changed:
            self._wanted = assignment
            if is_kept:
                self._kept = assignment
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._wanted is None and not self._ending:
                    self._changed.wait()
                assignment = self._wanted
                self._wanted = None
                if self._ending or assignment is None:
                    return
            begun_at = time.monotonic()
            is_complete = self._put_in_force(assignment)
            took_seconds = time.monotonic() - begun_at
            if is_complete:
                self._rest(assignment, took_seconds=took_seconds)
            else:
                self._try_again(assignment, after_seconds=min(took_seconds, REST_SECONDS_MAX))

    def _put_in_force(self, assignment: AssignmentSet) -> bool:
        try:
            if assignment is not self._kept:
                self._folder.write_assignment(assignment)
                self._kept = assignment
            is_complete = self._make_networks(assignment)
            is_complete = self._apply(assignment) and is_complete
            self._files.remove_unclaimed()
        except Exception:  # noqa: BLE001  # top of a thread: the next set may be well again
            _log.exception("the network of assignment %d failed", assignment.index)
            return False
        return is_complete

    def _make_networks(self, assignment: AssignmentSet) -> bool:
        if assignment.networks == self._made:
            return True  # applying looks after those that are there already
        self._made = None
        try:
            self._on_networks(self._network.ensure_networks(assignment.networks))
        except DriverFailure as failure:
            _log.warning("networks of assignment %d: %s", assignment.index, failure.reason)
        else:
            self._made = assignment.networks
            return True
        # One network that cannot be made must not keep tasks from the others.
        names: dict[str, str] = {}
        for network in assignment.networks:
            with contextlib.suppress(DriverFailure):
                names |= self._network.ensure_networks((network,))
        self._on_networks(names)
        return False

    def _apply(self, assignment: AssignmentSet) -> bool:
        try:
            self._network.apply(assignment, self._sandboxes())
        except DriverFailure as failure:
            _log.warning("the network of assignment %d: %s", assignment.index, failure.reason)
            return False
        finally:
            # The rules may be in force though another part failed.
            self._on_applied(self._network.rules_index)
        return True

    def _rest(self, in_force: AssignmentSet, *, took_seconds: float) -> None:
        """While many tasks start, sets come faster than they can be applied; the next one has more
        in it."""
        seconds = max(
            min(took_seconds, REST_SECONDS_MAX),
            min(
                ADDITIONS_REST_PER_CONTAINER_SECONDS * len(self._sandboxes()),
                ADDITIONS_REST_SECONDS_MAX,
            ),
        )

        def is_urgent() -> bool:
            wanted = self._wanted
            return self._ending or (
                wanted is not None and not network_urgency.can_wait(in_force, wanted)
            )

        with self._changed:
            self._changed.wait_for(is_urgent, timeout=seconds)

    def _try_again(self, assignment: AssignmentSet, *, after_seconds: float) -> None:
        """This set again, or a newer one, which is waited for less long."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending, timeout=after_seconds)
            self._changed.wait_for(lambda: self._ending or self._wanted, timeout=RETRY_SECONDS)
            if self._wanted is None:
                self._wanted = assignment
