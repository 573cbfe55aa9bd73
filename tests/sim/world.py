"""A whole cluster in one process: managers, nodes, the links between them, and its operators."""

from collections.abc import Callable

from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole
from stackctl.state import commands
from stackctl.state.apply import Applied
from stackctl.state.cluster import ClusterState
from stackctl.state.results import Result
from stackctl.wire import agent_protocol as protocol
from tests import vaults
from tests.sim.machinery import Machinery
from tests.sim.managers import Session, SimulatedManagers
from tests.sim.node import CLUSTER_ID, SimulatedNode
from tests.sim.timeline import Timeline

NANO = 1_000_000_000
HEARTBEAT_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
SILENCE_SECONDS = 3.0  # after which an agent gives up a connection


class World:
    """The cluster under test."""

    def __init__(
        self,
        machinery: Machinery | None = None,
        *,
        on_applied: Callable[[Applied, commands.Command], None] = lambda _applied, _command: None,
    ) -> None:
        self.timeline = Timeline()
        self.machinery = machinery or Machinery()
        self.nodes: dict[str, SimulatedNode] = {}  # by node id
        self.managers = SimulatedManagers(
            self.timeline,
            self.machinery,
            push=self._push,
            answers=lambda node_id: node_id in self.nodes and self.nodes[node_id].answers,
            on_applied=on_applied,
        )
        self._seeds = 0
        self._vault = vaults.repeatable_vault()
        self._machines = 0
        self._hostnames: set[str] = set()
        self.submit(
            commands.InitCluster(
                cluster_id=CLUSTER_ID,
                worker_secret="w",
                manager_secret="m",
                authority_digest="d",
                now=self.timeline.now,
            )
        )

    @property
    def state(self) -> ClusterState:
        """What the managers agree on."""
        return self.managers.state

    # -- operators ---------------------------------------------------------------------------

    def submit(self, command: commands.Command) -> Result:
        """A command of an operator."""
        return self.managers.submit(command)

    def add_node(
        self,
        hostname: str,
        *,
        role: NodeRole = NodeRole.WORKER,
        nano_cpus: int = 2 * NANO,
        memory_bytes: int = 4 << 30,
        images: tuple[str, ...] = (),
        data_address: str = "",
    ) -> SimulatedNode:
        """A machine joins and connects."""
        self._machines += 1
        number = self._machines
        description = objects.NodeDescription(
            hostname=hostname,
            nano_cpus=nano_cpus,
            memory_bytes=memory_bytes,
            data_address=data_address or f"192.168.0.{number}",
            routes=("192.168.0.0/24",),
        )
        node = SimulatedNode(
            description,
            node_id=f"id{number}-{hostname}" if hostname in self._hostnames else f"id-{hostname}",
            timeline=self.timeline,
            machinery=self.machinery,
            uplink=self,
            images=images,
        )
        self.nodes[node.id] = node
        self._hostnames.add(hostname)
        self.submit(
            commands.PutNode(node_id=node.id, role=role, hostname=hostname, now=self.managers.now())
        )
        self._connect(node)
        self._beat(node)
        return node

    def put_stack(
        self, spec: specs.StackSpec, *, prune: bool = False, rerun: bool = False
    ) -> Result:
        """Deploys a stack."""
        self._seeds += 1
        return self.submit(
            vaults.put_stack(
                spec,
                vault=self._vault,
                seed=f"seed {self._seeds}".encode(),
                prune=prune,
                rerun=rerun,
                now=self.managers.now(),
            )
        )

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.timeline.advance(seconds)

    # -- faults ------------------------------------------------------------------------------

    def fail(self, node: SimulatedNode) -> None:
        """The node loses its power."""
        node.power_off()
        self.managers.disconnect(node.id)

    def cut(self, node: SimulatedNode) -> None:
        """The node's link is cut; its containers go on. Either side notices by silence only."""
        node.is_cut = True
        self.timeline.after(SILENCE_SECONDS, lambda: self._give_up(node))

    def restore(self, node: SimulatedNode) -> None:
        """Power, link and agent are back."""
        if node.is_cut:
            self.managers.disconnect(node.id)
        node.is_cut = False
        if not node.is_powered:
            node.power_on()
        elif not node.is_agent_up:
            node.start_agent()
        self._connect(node)

    def stop_agent(self, node: SimulatedNode) -> None:
        """The node's agent dies; the machine goes on."""
        node.stop_agent()
        self.managers.disconnect(node.id)

    def restart_agent(self, node: SimulatedNode) -> None:
        """The node's agent dies and starts anew."""
        self.stop_agent(node)
        node.start_agent()
        self._connect(node)

    def drop_session(self, node: SimulatedNode) -> None:
        """The connection breaks for no reason; the agent connects anew."""
        self.managers.disconnect(node.id)
        self._connect(node)

    def replace(self, node: SimulatedNode) -> None:
        """The machine is thrown away, its node removed by force, and a new machine joins."""
        self.fail(node)
        address = node.description.data_address
        for held in list(self.state.nodes.values()):  # it may have been set up anew a moment ago
            if held.id == node.id or held.description.data_address == address:
                self.submit(
                    commands.RemoveNode(node_id=held.id, force=True, now=self.managers.now())
                )
        del self.nodes[node.id]
        self.add_node(
            node.hostname,
            nano_cpus=node.description.nano_cpus,
            images=tuple(node.engine.images),
        )

    def rejoin(self, node: SimulatedNode) -> None:
        """The machine is set up anew and joins again, as a node that nobody knows."""
        self.fail(node)
        del self.nodes[node.id]
        self.add_node(
            node.hostname,
            nano_cpus=node.description.nano_cpus,
            images=tuple(node.engine.images),
            data_address=node.description.data_address,
        )

    # -- links (`Uplink` of the nodes) -------------------------------------------------------

    def report(self, node_id: str, report: protocol.TaskReport) -> None:
        """A status report on its way; it may be lost, doubled or late, even after its session."""
        if node_id not in self.managers.sessions or not self.nodes[node_id].is_reachable:
            return
        for delay in self.machinery.report_copies():
            self.timeline.after(delay, lambda: self._report_arrives(node_id, report))

    def applied(self, node_id: str, index: int) -> None:
        """An acknowledgement on its way."""
        self._send(node_id, lambda: self.managers.confirm(node_id, index))

    def hello(self, node_id: str) -> None:
        """The agent needs a whole set."""
        self._send(node_id, lambda: self.managers.start_over(node_id))

    def _report_arrives(self, node_id: str, report: protocol.TaskReport) -> None:
        self.submit(
            commands.ReportTasks(node_id=node_id, reports=(report,), now=self.managers.now())
        )

    def _send(self, node_id: str, deliver: Callable[[], None]) -> None:
        session = self.managers.sessions.get(node_id)
        if session is None:
            return

        def arrive() -> None:
            is_open = self.managers.sessions.get(node_id) is session
            if is_open and self.nodes[node_id].is_reachable:
                self.managers.hear(node_id)
                deliver()

        self.timeline.at(self._arrival(session, "up"), arrive)

    def _arrival(self, session: Session, direction: str) -> float:
        time = self.timeline.now + self.machinery.link_seconds()
        session.arrivals[direction] = max(time, session.arrivals[direction])
        return session.arrivals[direction]

    def _push(self, node_id: str, message: protocol.AssignmentMessage) -> None:
        frame = protocol.encode_frame(message)
        node = self.nodes[node_id]
        session = self.managers.sessions[node_id]

        def arrive() -> None:
            is_open = self.managers.sessions.get(node_id) is session
            decoded = protocol.decode_manager_frame(frame)
            if is_open and node.is_reachable and isinstance(decoded, protocol.AssignmentMessage):
                node.receive(decoded)

        self.timeline.at(self._arrival(session, "down"), arrive)

    def _connect(self, node: SimulatedNode) -> None:
        if not node.is_reachable or node.id in self.managers.sessions:
            return
        if node.id not in self.state.nodes:
            return
        self.managers.connect(node.id, node.description)
        for report in node.all_reports():
            self.report(node.id, report)

    def _give_up(self, node: SimulatedNode) -> None:
        if node.is_cut:
            self.managers.disconnect(node.id)

    def _beat(self, node: SimulatedNode) -> None:
        if node.id not in self.state.nodes:
            return
        self.timeline.after(HEARTBEAT_SECONDS, lambda: self._beat(node))
        if not node.is_reachable:
            return
        if node.id not in self.managers.sessions:
            self.timeline.after(RECONNECT_SECONDS, lambda: self._connect(node))
            return
        applied = node.applied_index
        self._send(node.id, lambda: self.managers.confirm(node.id, applied))
