"""The session: always with one manager, whichever answers, and starting anew when it does not.

Nothing is lost with a connection: after each greeting all statuses go again, and the greeting names
the set that is held, so that the manager sends what is missing. The first greeting of a process
names none: it asks for a whole set, which confirms what came from the disk.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from agent.clock import Clock
from agent.core.manager_choice import ManagerChoice
from agent.drivers.disk import AgentFolder
from agent.drivers.logs import LogStreams
from agent.drivers.mutual_tls import TlsFiles
from agent.session.connection import Connection, FetchRequest, SetLost, Tasks
from agent.session.link import (
    Dismissed,
    Link,
    LinkFailure,
    LinkStale,
    LinkUseless,
    open_link,
)
from agent.session.outbox import Outbox
from stackctl.errors import Denied
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import NodeDescription
from stackctl.model.structs import Model
from stackctl.wire import agent_protocol
from stackctl.wire.agent_protocol import Dismissal, Hello

UNWELL_SECONDS = 0.5  # between two looks at a node that is not well

_log = logging.getLogger(__name__)


class Membership(Model, frozen=True, kw_only=True):
    """Who this node is, and how it proves it."""

    node_id: str
    cluster_id: str
    files: TlsFiles


class Session:
    """Keeps the node connected."""

    def __init__(
        self,
        *,
        membership: Membership,
        managers: tuple[str, ...],
        tasks: Tasks,
        outbox: Outbox,
        make_logs: Callable[[int], LogStreams],
        fetch_image: FetchRequest,
        describe: Callable[[], NodeDescription],
        node_fault: Callable[[], str],
        folder: AgentFolder,
        clock: Clock,
    ) -> None:
        """`make_logs` makes the log streams of the connection with that number, `fetch_image`
        begins to fetch an image for it.

        `node_fault` says why this node should not claim to be well, "" when it is: it stays away
        from the managers then, who count it as down and run its tasks elsewhere.
        """
        self._membership = membership
        self._choice = ManagerChoice(managers=managers)
        self._tasks = tasks
        self._outbox = outbox
        self._make_logs = make_logs
        self._fetch_image = fetch_image
        self._describe = describe
        self._node_fault = node_fault
        self._folder = folder
        self._clock = clock
        self._needs_whole_set = True
        self._said: set[tuple[str, str]] = set()  # failures logged since the last connection

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            await self._become_well()
            await asyncio.sleep(self._choice.pause_seconds(random.random()))  # noqa: S311  # spreads reconnections, guards nothing
            address = self._choice.current
            try:
                await self._connect(address)
            except Dismissed as failure:
                self._end_everything(failure.dismissal, address)
                self._choice = self._choice.after_failure()
            except LinkStale as failure:
                _log.warning("manager %s: %s; connecting again", address, failure)
            except LinkUseless as failure:
                _log.warning("manager %s: %s; trying another", address, failure)
                self._choice = self._choice.after_suspicion()
            except (LinkFailure, Denied) as failure:
                self._log_failure(address, str(failure))
                self._choice = self._choice.after_failure()

    def _end_everything(self, dismissal: Dismissal, address: str) -> None:
        """The node was removed: nothing is left for it to run. It goes on asking, in vain, until
        somebody ends it or sets the node up anew: a program that ended would be started again.
        """
        if dismissal.cluster_id != self._membership.cluster_id:
            self._log_failure(address, f"it belongs to another cluster ({dismissal.cluster_id})")
            return
        nothing = AssignmentSet(
            node_id=self._membership.node_id, term=dismissal.term, index=dismissal.index
        )
        if self._tasks.hold(nothing):
            identity = self._membership.files.certificate.parent
            self._log_failure(
                address,
                "this node was removed from the cluster; its tasks are stopped. To bring it back,"
                f" stop this agent, delete {identity} and join again with the token that"
                " 'stackctl join-token worker' prints; otherwise stop this agent",
            )

    def _log_failure(self, address: str, reason: str) -> None:
        # Managers may be away for hours: each reason is said once until one of them answers.
        if (address, reason) not in self._said:
            self._said.add((address, reason))
            _log.warning("manager %s: %s", address, reason)

    async def _become_well(self) -> None:
        said = False
        while True:
            fault = self._node_fault()
            if not fault:
                return
            if not said:
                _log.error("staying away from the managers: %s", fault)
                said = True
            await asyncio.sleep(UNWELL_SECONDS)

    async def _connect(self, address: str) -> None:
        async with open_link(
            address,
            files=self._membership.files,
            hello=self._hello,
            timeout_seconds=self._choice.connect_seconds,
        ) as link:
            self._note_welcome(link, address)
            connection = Connection(
                link,
                tasks=self._tasks,
                outbox=self._outbox,
                make_logs=self._make_logs,
                fetch_image=self._fetch_image,
                clock=self._clock,
                has_alternatives=len(self._choice.managers) > 1,
                node_fault=self._node_fault,
                on_set=self._note_set,
                on_alive=self._note_alive,
            )
            try:
                await connection.run()
            except SetLost:
                self._needs_whole_set = True
                raise

    def _hello(self) -> Hello:
        held = self._tasks.held()
        term, index = (0, 0) if self._needs_whole_set else (held.term, held.index)
        return Hello(
            protocol_version=agent_protocol.PROTOCOL_VERSION,
            node_id=self._membership.node_id,
            description=self._describe(),
            term=term,
            index=index,
        )

    def _note_welcome(self, link: Link, address: str) -> None:
        welcome = link.welcome
        if welcome.cluster_id != self._membership.cluster_id:
            raise Denied(f"it belongs to another cluster ({welcome.cluster_id})")
        _log.info("connected to manager %s at %s", welcome.manager_id, address)
        self._said.clear()
        if welcome.managers:
            self._choice = self._choice.with_managers(welcome.managers)
            self._folder.write_managers(welcome.managers)

    def _note_set(self) -> None:
        self._needs_whole_set = False

    def _note_alive(self) -> None:
        if self._choice.failures:
            self._choice = self._choice.after_success()
