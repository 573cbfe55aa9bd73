"""Consensus: one replicated log behind six methods, so that another Raft could replace this one.

    propose        one entry, applied on every member, its result back to the caller
    read_barrier   everything confirmed before the call is applied here afterwards
    leadership, on_leadership          who leads, in which term
    members, add_member, remove_member

Threads: the *consensus thread* (made here) owns everything below `raft/` and is the only caller of
the state machine and of `on_leadership`; the links have an event loop on a thread of their own;
snapshots are written on a third. Every method here may be called from any thread and answers with
a `concurrent.futures.Future` (`asyncio.wrap_future` bridges it to a loop).

A leader reports itself only when it has applied the first entry of its own term: only then it
knows everything that was confirmed before. Two members may believe to lead for a moment, never in
the same term: whoever acts on leadership carries the term along.
"""

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Protocol

import msgspec

from stackctl.errors import ClusterUnavailable, InputError, StackctlError
from stackctl.manager.raft.addresses import split_address
from stackctl.manager.raft.barriers import Barriers
from stackctl.manager.raft.envelope import KEY_CHARACTERS_MAX
from stackctl.manager.raft.library import now
from stackctl.manager.raft.links import Links
from stackctl.manager.raft.member import RaftMember
from stackctl.manager.raft.messages import Change
from stackctl.manager.raft.proposals import Proposal, Proposals
from stackctl.manager.raft.receiving import Receiving
from stackctl.manager.raft.replica import StateMachine
from stackctl.manager.raft.settings import ConsensusSettings, Member
from stackctl.manager.raft.storage import Storage, open_storage
from stackctl.manager.raft.waker import Waker

__all__ = [
    "Consensus",
    "ConsensusSettings",
    "Leadership",
    "Member",
    "ReplicatedLog",
    "StateMachine",
]

_HAND_OVER_SECONDS_MAX = 1.0
_STOP_SECONDS_MAX = 30.0

_log = logging.getLogger(__name__)


class Leadership(msgspec.Struct, frozen=True):
    """Who leads, as far as this member knows. `leader_id` is a node id."""

    term: int
    leader_id: str | None
    is_leader: bool


class ReplicatedLog(Protocol):
    """What the rest of the manager needs; the fake in the tests keeps the same promises."""

    def start(self) -> None:
        """Take part. Raises StackctlError when the storage or the address cannot be used."""
        ...

    def stop(self) -> None:
        """Hand leadership over, close the storage; what waits fails with ClusterUnavailable."""
        ...

    def propose(self, entry: bytes, *, key: str, timeout_seconds: float) -> Future[bytes]:
        """Replicate one entry; the future holds what the state machine answered."""
        ...

    def read_barrier(self, *, timeout_seconds: float) -> Future[int]:
        """The index up to which the local state is applied, at least as new as this call."""
        ...

    def leadership(self) -> Leadership:
        """The newest leadership known."""
        ...

    def members(self) -> tuple[Member, ...]:
        """Who takes part, as of the last applied entry."""
        ...

    def add_member(self, member: Member, *, timeout_seconds: float) -> Future[None]:
        """Let another manager take part, after it has caught up."""
        ...

    def remove_member(self, node_id: str, *, timeout_seconds: float) -> Future[None]:
        """Take a manager out."""
        ...

    def applied_index(self) -> int:
        """Up to where the local state is applied."""
        ...


class Consensus:
    """The real one, on pysyncobj's Raft core (`raft/`)."""

    def __init__(
        self,
        settings: ConsensusSettings,
        machine: StateMachine,
        *,
        on_leadership: Callable[[Leadership], None],
        on_failure: Callable[[StackctlError], None] | None = None,
    ) -> None:
        """Neither callback may wait for anything: both run on the consensus thread.

        `on_failure` is called once, when this member cannot go on (its disk failed, an entry is
        unreadable): the manager should end; whatever waits has failed already.
        """
        self._settings = settings
        self._machine = machine
        self._on_leadership = on_leadership
        self._on_failure = on_failure
        self._proposals = Proposals(
            count_max=settings.proposals_max, bytes_max=settings.proposals_bytes_max
        )
        self._barriers = Barriers(self._proposals)
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name="consensus", daemon=True)
        self._opened = threading.Event()
        self._stopping = threading.Event()
        self._start_error: BaseException | None = None
        self._leadership = Leadership(term=0, leader_id=None, is_leader=False)
        self._members = settings.members
        self._member: RaftMember | None = None

    def start(self) -> None:
        """Open the storage, restore the state, listen. Raises StackctlError, OSError."""
        self._thread.start()
        self._opened.wait()
        if self._start_error is not None:
            self._thread.join()
            raise self._start_error

    def stop(self) -> None:
        """End, after handing leadership over if that is quickly possible; twice is harmless."""
        self._stopping.set()
        self._waker.wake()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS_MAX)
        self._waker.close()

    def propose(self, entry: bytes, *, key: str, timeout_seconds: float) -> Future[bytes]:
        """Replicate one entry; the future holds what the state machine answered.

        `key` names the intention: an entry with the key of one of the last 10,000 is not applied
        again, its proposer gets the first one's answer. The future fails with ClusterUnavailable
        after `timeout_seconds` (the outcome is then unknown), with StackctlError when the machine
        could not apply the entry. Raises InputError for an entry over 1 MiB.
        """
        if len(entry) > self._settings.entry_bytes_max:
            raise InputError(
                f"the change is {len(entry)} bytes long, the most is "
                f"{self._settings.entry_bytes_max}",
                hint="split the stack, or keep large files out of configs and secrets",
            )
        if not 0 < len(key) <= KEY_CHARACTERS_MAX:
            raise InputError(f"a key has 1 to {KEY_CHARACTERS_MAX} characters")
        proposal = Proposal(
            key,
            deadline=now() + timeout_seconds,
            payload=entry,
            read_result=lambda outcome: outcome.result,
        )
        return self._submit(proposal)

    def read_barrier(self, *, timeout_seconds: float) -> Future[int]:
        """The index up to which the local state is applied, at least as new as this call.

        Concurrent readers share one empty command. Fails with ClusterUnavailable.
        """
        future = self._barriers.wait(timeout_seconds)
        self._waker.wake()
        return future

    def leadership(self) -> Leadership:
        """The newest leadership known."""
        return self._leadership

    def members(self) -> tuple[Member, ...]:
        """Who takes part, as of the last applied entry."""
        return self._members

    def add_member(self, member: Member, *, timeout_seconds: float) -> Future[None]:
        """Let another manager take part, after it has caught up; it must be running already.

        Done already counts as done. Fails with Conflict, or ClusterUnavailable naming the reason.
        Raises InputError for an address that is not "IP:PORT".
        """
        split_address(member.address)
        return self._change("add", member.node_id, member.address, timeout_seconds)

    def remove_member(self, node_id: str, *, timeout_seconds: float) -> Future[None]:
        """Take a manager out; the leader itself hands over first.

        Done already counts as done. Fails with Conflict when no reachable majority would remain.
        """
        return self._change("remove", node_id, "", timeout_seconds)

    def applied_index(self) -> int:
        """Up to where the local state is applied."""
        return 0 if self._member is None else self._member.applied()

    def _change(
        self,
        operation: Literal["add", "remove"],
        node_id: str,
        address: str,
        timeout_seconds: float,
    ) -> Future[None]:
        change = Change(
            key=f"{operation}-{node_id}-{secrets.token_hex(8)}",
            operation=operation,
            node_id=node_id,
            address=address,
            timeout_seconds=timeout_seconds,
        )
        proposal = Proposal(
            change.key,
            deadline=now() + timeout_seconds,
            change=change,
            read_result=lambda _: None,
        )
        return self._submit(proposal)

    def _submit(self, proposal: Proposal) -> Future[Any]:
        future = self._proposals.submit(proposal)
        self._waker.wake()
        return future

    # -- everything below runs on the consensus thread

    def _run(self) -> None:
        try:
            engine = _Engine(self._settings, self._machine, self._proposals, self._waker)
        except BaseException as error:  # noqa: BLE001 - handed to the caller of `start`
            self._start_error = error
            self._opened.set()
            return
        self._member = engine.member
        self._publish(engine.member)
        self._opened.set()
        failure = self._loop(engine)
        ending = failure or ClusterUnavailable("this manager stops")
        self._proposals.close(ending)
        self._barriers.close(ending)
        engine.close(storage_failed=failure is not None)
        if failure is not None and self._on_failure is not None:
            self._on_failure(failure)

    def _loop(self, engine: "_Engine") -> StackctlError | None:
        """Tick until stopped; returns why this member cannot go on."""
        hand_over_until: float | None = None
        while True:
            try:
                engine.member.doTick(self._settings.tick_seconds)
            except StackctlError as error:
                _log.critical("this manager cannot go on: %s", error.message)
                return error
            except OSError as error:
                _log.critical("the storage in %s failed: %s", self._settings.directory, error)
                return StackctlError(
                    f"the storage in {self._settings.directory} failed: {error}",
                    hint="check the disk and its free space, then start the manager again",
                )
            except Exception:  # noqa: BLE001 - the top of the thread's loop
                _log.exception("a tick failed")
                self._stopping.wait(self._settings.tick_seconds)
            self._publish(engine.member)
            self._proposals.expire(has_leader=self._leadership.leader_id is not None)
            self._barriers.step()
            if self._stopping.is_set():
                hand_over_until = hand_over_until or now() + _HAND_OVER_SECONDS_MAX
                if engine.member.hand_over() or now() > hand_over_until:
                    return None

    def _publish(self, member: RaftMember) -> None:
        members = tuple(
            Member(node_id, address)
            for node_id, address in member.replica.members().items()
            if not (member.is_removed and node_id == self._settings.node_id)
        )
        if members != self._members:
            self._members = members
        is_leader = member.is_leader() and member.applied() >= member.no_op_index()
        leader_id = member.leader_id()
        if leader_id == self._settings.node_id and not is_leader:
            leader_id = None
        leadership = Leadership(member.term(), leader_id, is_leader)
        if leadership == self._leadership:
            return
        self._leadership = leadership
        try:
            self._on_leadership(leadership)
        except Exception:  # noqa: BLE001 - a callback must not stop the thread's loop
            _log.exception("on_leadership failed")


class _Engine:
    """Storage, links and member of one run, opened and closed together."""

    def __init__(
        self,
        settings: ConsensusSettings,
        machine: StateMachine,
        proposals: Proposals,
        waker: Waker,
    ) -> None:
        for address in (settings.listen, *(member.address for member in settings.members)):
            split_address(address)
        self._waker = waker
        self._links = Links(
            node_id=settings.node_id,
            listen=settings.listen,
            tls=settings.tls,
            retry_seconds=settings.reconnect_seconds,
            wake=waker.wake,
        )
        try:
            self._storage = open_storage(settings, machine)
        except BaseException:
            self._links.stop()
            raise
        self.member = self._open_member(settings, self._storage, proposals, waker)
        self._receiving = Receiving(self.member, self._storage.snapshots, wake=waker.wake)
        self.member.subscribe(waker.descriptor, self._on_wake)
        try:
            self._links.start()
        except BaseException:
            self.close(storage_failed=False)
            raise

    def _open_member(
        self, settings: ConsensusSettings, storage: Storage, proposals: Proposals, waker: Waker
    ) -> RaftMember:
        members = storage.replica.members()
        member = RaftMember(
            settings,
            address=members.get(settings.node_id, settings.listen),
            log=storage.log,
            replica=storage.replica,
            applied_index=storage.applied_index,
            snapshots=storage.snapshots,
            snapshot_index=storage.snapshot_index,
            proposals=proposals,
            links=self._links,
            wake=waker.wake,
        )
        member.adopt_members()
        if member.other_ids():
            member.push_election_deadline()
        else:
            member.set_election_deadline(0)
        return member

    def _on_wake(self) -> None:
        self._waker.clear()
        self._receiving.drain()

    def close(self, *, storage_failed: bool) -> None:
        """Close everything."""
        self._links.stop()
        self._receiving.close()
        try:
            self.member.close(storage_failed=storage_failed)
        except OSError as error:
            _log.error("the storage could not be closed cleanly: %s", error)
        self._storage.unlock()
