"""The VIP rules inside the namespaces of this node's tasks: what is there, and putting it right.

For each task it remembers the namespace's identity, the text applied and the generation of the
ruleset afterwards. An entry that finds the same generation and wants the same text changes nothing
(0.2 ms); rules that somebody has changed by hand are written again.

A namespace is entered through a process id, which may have been used again: a namespace that is
new to us must bear the task's addresses, or it is not the task's.

Threads: a container may be added while all are refreshed for a new assignment. Whoever enters a
namespace has its record's lock and takes the newest assignment only then, and a refresh visits
every container added before it began; so no namespace keeps rules older than the newest refresh.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from agent.core import nft_rules, stale_connections
from agent.core.stale_connections import Offer, Offers
from agent.drivers import conntrack, link_table, netns, nft
from agent.drivers.failures import Failures
from agent.drivers.netns import Namespace, NamespaceGone, NamespaceIdentity
from agent.drivers.sweeper import Sweeper
from stackctl.errors import DriverFailure, TemporaryFailure
from stackctl.model.assignment import AssignmentSet
from stackctl.model.structs import Model

_RETRY_SECONDS = 1.0
_log = logging.getLogger(__name__)


class ContainerSandbox(Model, frozen=True, kw_only=True):
    """A running container as the network sees it."""

    task_id: str
    pid: int  # of its first process, in the agent's view
    addresses: Mapping[str, str] = {}  # network id -> address


@dataclass
class _Record:
    """One task's namespace; the lock is held while it is entered."""

    sandbox: ContainerSandbox
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_in_force: bool = False
    identity: NamespaceIdentity | None = None
    text: str = ""
    generation: int = -1
    offers: Offers | None = None


@dataclass
class _Wanted:
    """What a namespace must have: the text, and what its connections are judged by."""

    text: str
    offers: frozenset[Offer]
    alive: frozenset[str]


class TaskRules:
    """Keeps the rules of the running tasks' namespaces. All methods may be called by any thread."""

    def __init__(self, assignment: AssignmentSet, sweeper: Sweeper) -> None:
        self._sweeper = sweeper
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}
        self._assignment = assignment
        self._rendered: dict[frozenset[str], tuple[str, frozenset[Offer]]] = {}

    def assign(self, assignment: AssignmentSet, running: Iterable[ContainerSandbox]) -> None:
        """From now on rules follow this assignment, in these containers and those added before."""
        with self._lock:
            self._assignment = assignment
            self._rendered = {}
            for sandbox in running:
                self._register(sandbox)

    def refresh(self, failures: Failures) -> None:
        """Every known container has its rules; those that have ended are forgotten."""
        for sandbox in self.sandboxes():
            with failures.collected():
                self._put(sandbox.task_id)

    def add(self, sandbox: ContainerSandbox) -> None:
        """The container's namespace has its rules. Raises `TemporaryFailure` when it has not; one
        that has ended is no failure."""
        with self._lock:
            self._register(sandbox)
        self._put(sandbox.task_id)

    def drop(self, task_id: str) -> None:
        """The container has ended; its namespace goes by itself."""
        with self._lock:
            self._records.pop(task_id, None)

    def remove_all(self, failures: Failures) -> None:
        """No namespace has rules of ours, and no container is known."""
        for sandbox in self.sandboxes():
            # One without addresses never got rules, and its namespace may be the node's own.
            if sandbox.addresses:
                with failures.collected():
                    _remove(sandbox)
            self.drop(sandbox.task_id)

    def sandboxes(self) -> tuple[ContainerSandbox, ...]:
        """The known containers."""
        with self._lock:
            return tuple(record.sandbox for record in self._records.values())

    def in_force(self) -> frozenset[str]:
        """The tasks whose namespaces have their rules."""
        with self._lock:
            return frozenset(
                task_id for task_id, record in self._records.items() if record.is_in_force
            )

    def alive(self) -> frozenset[str]:
        """The addresses that can still answer, here and elsewhere."""
        with self._lock:
            return self._alive()

    def _register(self, sandbox: ContainerSandbox) -> None:
        record = self._records.get(sandbox.task_id)
        if record is None:
            self._records[sandbox.task_id] = _Record(sandbox)
        else:
            record.sandbox = sandbox

    def _put(self, task_id: str) -> None:
        with self._lock:
            record = self._records.get(task_id)
        if record is None:
            return
        with record.lock:
            is_done = False
            try:
                if record.sandbox.addresses:
                    self._enter_namespace(record)
                is_done = True
            except NamespaceGone as gone:
                _log.debug("task %s has no namespace any more: %s", task_id, gone)
                self._drop_exactly(record)
            except OSError as error:
                raise TemporaryFailure(
                    f"namespace of task {task_id}: {error}", retry_after_seconds=_RETRY_SECONDS
                ) from error
            except DriverFailure as failure:
                failure.reason = f"namespace of task {task_id}: {failure.reason}"
                failure.args = (failure.reason,)
                raise
            finally:
                record.is_in_force = is_done

    def _enter_namespace(self, record: _Record) -> None:
        with netns.open_namespace(record.sandbox.pid) as namespace:
            wanted = self._wanted(record.sandbox)
            namespace.run(lambda stack: _enter(record, namespace, wanted, stack))
        record.offers, is_due = stale_connections.follow(
            record.offers, wanted.offers, alive=wanted.alive
        )
        if is_due:
            self._sweeper.request(record.sandbox.task_id, lambda: self._sweep(record))

    def _sweep(self, record: _Record) -> None:
        """Forget the namespace's connections to backends that are gone."""
        with record.lock, contextlib.suppress(NamespaceGone):
            offers, alive = record.offers, self.alive()
            if offers is None:
                return
            with netns.open_namespace(record.sandbox.pid) as namespace:
                if namespace.identity == record.identity:
                    namespace.run(
                        lambda stack: conntrack.forget_stale(
                            lambda found: stale_connections.stale_vips(found, offers, alive=alive),
                            stack,
                        )
                    )

    def _drop_exactly(self, record: _Record) -> None:
        with self._lock:
            if self._records.get(record.sandbox.task_id) is record:
                del self._records[record.sandbox.task_id]

    def _wanted(self, sandbox: ContainerSandbox) -> _Wanted:
        with self._lock:
            networks = frozenset(sandbox.addresses)
            if networks not in self._rendered:
                endpoints = tuple(
                    endpoint
                    for endpoint in self._assignment.endpoints
                    if endpoint.network_id in networks
                )
                self._rendered[networks] = (
                    nft_rules.render_vips(endpoints),
                    stale_connections.vip_offers(endpoints),
                )
            text, offers = self._rendered[networks]
            return _Wanted(text, offers, self._alive())

    def _alive(self) -> frozenset[str]:
        local = [
            address
            for record in self._records.values()
            for address in record.sandbox.addresses.values()
        ]
        return stale_connections.alive_addresses(self._assignment, local)


def _enter(record: _Record, namespace: Namespace, wanted: _Wanted, stack: ExitStack) -> None:
    """Put one namespace right, from inside."""
    if record.identity != namespace.identity:
        _check_is_of_task(record.sandbox)
        record.identity = namespace.identity
        record.text = ""
        record.offers = None
    if record.text != wanted.text or nft.generation_here(stack) != record.generation:
        record.generation = nft.apply_here(wanted.text, stack)
        record.text = wanted.text


def _remove(sandbox: ContainerSandbox) -> None:
    def clear(stack: ExitStack) -> None:
        _check_is_of_task(sandbox)
        nft.apply_here(nft_rules.render_removal(), stack)

    try:
        with netns.open_namespace(sandbox.pid) as namespace:
            namespace.run(clear)
    except NamespaceGone as gone:
        _log.debug("task %s has no namespace any more: %s", sandbox.task_id, gone)


def _check_is_of_task(sandbox: ContainerSandbox) -> None:
    here = {found.address for found in link_table.read_addresses()}
    missing = set(sandbox.addresses.values()) - here
    if missing:
        raise NamespaceGone(
            f"process {sandbox.pid} is not in the namespace of task {sandbox.task_id}:"
            f" it does not have {', '.join(sorted(missing))}"
        )
