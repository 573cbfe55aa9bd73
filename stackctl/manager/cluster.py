"""The cluster as this manager's event loop sees it: propose, read, and hear of changes.

Consensus runs on its own thread; this is where its results enter the event loop. Every change of
state reaches the subscribers here, in order and before the proposer of that change is answered.

Words: to *read* is to wait until everything that was acknowledged anywhere before now has been
applied here, and then to look at the state; the `state` property looks without waiting.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from stackctl.errors import ClusterUnavailable
from stackctl.manager import clock
from stackctl.manager.consensus import Leadership, Member, ReplicatedLog
from stackctl.manager.machine import Publication, ReplicatedState
from stackctl.manager.settings import Settings, api_address_of
from stackctl.state import commands, results
from stackctl.state.cluster import ClusterState

MEMBER_TIMEOUT_SECONDS = 30.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class ReplicatedCluster:
    """Proposals, reads and changes of the replicated state. Lives on the event loop's thread."""

    def __init__(self, *, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._consensus: ReplicatedLog | None = None
        self._subscribers: list[Callable[[Publication], None]] = []
        self._on_leadership: list[Callable[[Leadership], None]] = []
        self._changed = asyncio.Event()
        self.machine = ReplicatedState(self._call_soon(self._publish))
        self.leadership = Leadership(term=0, leader_id=None, is_leader=False)

    def attach(self, consensus: ReplicatedLog) -> None:
        """Connects the consensus that replicates this cluster's state."""
        self._consensus = consensus
        self._note_leadership(consensus.leadership())

    @property
    def consensus(self) -> ReplicatedLog:
        """The replicated log. Raises ClusterUnavailable before the manager has started it."""
        if self._consensus is None:
            raise ClusterUnavailable("this manager is still starting")
        return self._consensus

    @property
    def state(self) -> ClusterState:
        """The newest state applied here."""
        return self.machine.state

    def api_addresses(self) -> dict[str, str]:
        """Address of the API of every manager, by node id."""
        return {
            member.node_id: api_address_of(member.address)
            for member in sorted(self.consensus.members(), key=lambda member: member.node_id)
        }

    def subscribe(self, on_change: Callable[[Publication], None]) -> None:
        """Calls `on_change` for every change of state, on the event loop."""
        self._subscribers.append(on_change)

    def subscribe_leadership(self, on_leadership: Callable[[Leadership], None]) -> None:
        """Calls `on_leadership` whenever who leads changed, on the event loop."""
        self._on_leadership.append(on_leadership)

    def leadership_changed(self, leadership: Leadership) -> None:
        """Takes news of who leads, from any thread."""
        self._loop.call_soon_threadsafe(self._note_leadership, leadership)

    async def propose(
        self, command: commands.Command, *, timeout_seconds: float | None = None
    ) -> results.Result:
        """Replicates a command and waits until it is applied here.

        Raises Rejection when it was refused, ClusterUnavailable when its outcome is unknown.
        """
        future = self.consensus.propose(
            commands.encode_command(command),
            key=clock.new_key(),
            timeout_seconds=timeout_seconds or self._settings.proposal_timeout_seconds,
        )
        result = results.decode_result(await _outcome(future))
        if result.error is not None:
            error = result.error
            raise results.Rejection(
                error.kind, error.message, hint=error.hint, exit_code=error.exit_code
            )
        return result

    async def read(self, *, timeout_seconds: float | None = None) -> ClusterState:
        """The state, no older than this call. Raises ClusterUnavailable."""
        timeout = timeout_seconds or self._settings.read_timeout_seconds
        await _outcome(self.consensus.read_barrier(timeout_seconds=timeout))
        return self.state

    async def add_member(self, member: Member) -> None:
        """Lets another manager take part, once it has caught up. Raises ClusterUnavailable."""
        timeout = MEMBER_TIMEOUT_SECONDS
        await _outcome(self.consensus.add_member(member, timeout_seconds=timeout))

    async def wait_beyond(self, index: int, *, timeout_seconds: float) -> int:
        """The index of the state once it is greater than `index`, or when time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self.state.index <= index:
                    await self._changed.wait()
        return self.state.index

    def _publish(self) -> None:
        publication = self.machine.take()
        self._changed.set()
        self._changed = asyncio.Event()
        for on_change in self._subscribers:
            try:
                on_change(publication)
            except Exception:  # noqa: BLE001 - the top of what follows from a change: one part's
                # fault must not keep the news from the others
                _log.exception("a change of the state was not taken in everywhere")

    def _note_leadership(self, leadership: Leadership) -> None:
        before = self.leadership
        self.leadership = leadership
        if (before.term, before.leader_id) != (leadership.term, leadership.leader_id):
            leader = self._hostname_of(leadership.leader_id)
            _log.info("term %d: leader is %s", leadership.term, leader)
        for on_leadership in self._on_leadership:
            on_leadership(leadership)

    def _hostname_of(self, node_id: str | None) -> str:
        node = self.state.nodes.get(node_id or "")
        return node.hostname if node is not None else node_id or "nobody"

    def _call_soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            self._loop.call_soon_threadsafe(callback)

        return call


def start_task(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Runs a part of the manager that must not end by itself; if it does, that is logged."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_end)
    return task


async def stop_task(task: asyncio.Task[None] | None) -> None:
    """Cancels a task and waits until it has ended."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])


async def _outcome(future: Future[T]) -> T:
    """What a future of the consensus thread holds.

    The future itself is never cancelled when the waiting request is: that thread sets its result.
    """
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(_take_exception)
    return await asyncio.shield(waiting)


def _take_exception(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("%s ended unexpectedly", task.get_name(), exc_info=task.exception())
