"""The agents connected to this manager: one session per node, and who is told of which change.

Every manager serves sessions from the state that it has applied itself; which manager an agent
hangs on makes no difference to what it is told.
"""

import logging

from stackctl.errors import Denied
from stackctl.manager import relevance
from stackctl.manager.agent_session import AgentSession
from stackctl.manager.callers import Caller
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.frame_socket import FrameSocket
from stackctl.manager.liveness import Liveness
from stackctl.manager.machine import Publication
from stackctl.manager.pacing import Pacing
from stackctl.manager.vault import Vault
from stackctl.state.cluster import ClusterState
from stackctl.state.events import Kind
from stackctl.wire import agent_protocol as protocol

_log = logging.getLogger(__name__)


class Sessions:
    """The sessions of this manager, by node id."""

    def __init__(
        self,
        *,
        manager_id: str,
        cluster: ReplicatedCluster,
        liveness: Liveness,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._manager_id = manager_id
        self._cluster = cluster
        self._liveness = liveness
        self._vault = vault
        self._clock = clock
        self._pacing = Pacing()
        self._by_node: dict[str, AgentSession] = {}
        cluster.subscribe(self._on_change)

    def find(self, node_id: str) -> AgentSession | None:
        """The session of that node, None when it is not connected here."""
        return self._by_node.get(node_id)

    def all(self) -> list[AgentSession]:
        """All sessions."""
        return list(self._by_node.values())

    def abort_all(self, reason: str) -> None:
        """Ends every session: this manager stops, and agents find another."""
        for session in self.all():
            session.abort(reason)

    async def serve(
        self, connection: FrameSocket, *, hello: protocol.Hello, caller: Caller
    ) -> None:
        """Serves an agent until its connection ends.

        Raises Denied when the agent is not who its certificate says, or no member.
        """
        if caller.kind != "local" and caller.node_id != hello.node_id:
            raise Denied(f"the certificate of {caller.node_id} does not speak for {hello.node_id}")
        if hello.protocol_version != protocol.PROTOCOL_VERSION:
            raise Denied(
                f"the agent speaks version {hello.protocol_version} of the protocol,"
                f" this manager version {protocol.PROTOCOL_VERSION}"
            )
        if hello.node_id not in self._cluster.state.nodes:
            state = await self._cluster.read()
            if hello.node_id not in state.nodes:
                await self._dismiss(connection, state)
                raise Denied(f"{hello.node_id} is no node of this cluster")
        session = AgentSession(
            hello,
            connection=connection,
            manager_id=self._manager_id,
            cluster=self._cluster,
            vault=self._vault,
            clock=self._clock,
            pacing=self._pacing,
            on_heard=self._on_heard,
        )
        before = self._by_node.get(hello.node_id)
        if before is not None:
            before.abort("the agent has connected anew")
        self._by_node[hello.node_id] = session
        _log.info("agent of %s (%s) connected", hello.description.hostname, hello.node_id)
        self._on_heard(session)
        try:
            await session.run(self._welcome())
        finally:
            if self._by_node.get(hello.node_id) is session:
                del self._by_node[hello.node_id]
            _log.info("agent of %s disconnected", hello.description.hostname)

    async def _dismiss(self, connection: FrameSocket, state: ClusterState) -> None:
        """Lets the agent of a removed node end what it still runs."""
        dismissal = protocol.Dismissal(
            cluster_id=state.cluster.id if state.cluster is not None else "",
            term=state.term,
            index=state.index,
        )
        await connection.send(protocol.encode_frame(dismissal))

    def _welcome(self) -> protocol.Welcome:
        cluster = self._cluster.state.cluster
        return protocol.Welcome(
            cluster_id=cluster.id if cluster is not None else "",
            manager_id=self._manager_id,
            managers=tuple(self._cluster.api_addresses().values()),
        )

    def _on_heard(self, session: AgentSession) -> None:
        if self._by_node.get(session.node_id) is session:
            self._liveness.hear(session.node_id, at=session.heard_at)
            self._liveness.acknowledge(session.node_id, session.feed.acknowledged_index)

    def _on_change(self, publication: Publication) -> None:
        affected = relevance.affected_by(publication)
        for session in self._by_node.values():
            if affected.all_nodes or session.node_id in affected.node_ids:
                session.mark_dirty()
            else:
                session.note_unchanged(publication.state.index)
                self._on_heard(session)
        if publication.everything or any(event.kind == Kind.NODE for event in publication.events):
            for session in self.all():
                session.end_if_superseded()
