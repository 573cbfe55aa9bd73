"""The network of a node: overlay, names, VIPs and published ports follow the assignment.

`NodeNetwork` joins the drivers in an order that never sends a connection to where nothing is yet or
any longer: entries of the overlay first, then the rules that choose backends, then the names that
lead to them, and last what needs the engine, so that an engine that hangs holds up nothing else.

Every `apply` looks at everything and writes differences: what somebody has changed by hand, or an
engine has lost, is put right by the next one. Parts that fail do not hold up the others; what
failed is raised in the end.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence

from agent.core import dns_zone, overlay_plan
from agent.core.dns_zone import Zone
from agent.drivers import firewall
from agent.drivers.dns_server import DnsServer
from agent.drivers.engine_networks import EngineNetworks
from agent.drivers.failures import Failures
from agent.drivers.ingress_rules import IngressRules
from agent.drivers.overlay import Look, Overlay
from agent.drivers.resolvers import NodeResolvers
from agent.drivers.stand_in import StandIn
from agent.drivers.sweeper import Sweeper
from agent.drivers.task_rules import ContainerSandbox, TaskRules
from stackctl.errors import TemporaryFailure
from stackctl.model.assignment import AssignmentSet, NetworkAssignment

__all__ = ["VXLAN_PORT", "ContainerSandbox", "NodeNetwork"]

VXLAN_PORT = 4789

_RETRY_SECONDS = 1.0


class NodeNetwork:
    """Everything between the containers of this node and the rest of the cluster.

    All methods block and may be called from any thread, also beside each other.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        node_id: str,
        data_address: str,
        vxlan_port: int = VXLAN_PORT,
        engine_networks: EngineNetworks,
        resolvers: NodeResolvers | None = None,
        stand_in: StandIn | None = None,
    ) -> None:
        self._data_address = data_address
        self._nothing = AssignmentSet(node_id=node_id, term=0, index=0)
        self._overlay = Overlay(
            cluster_id=cluster_id,
            data_address=data_address,
            vxlan_port=vxlan_port,
            engine=engine_networks,
        )
        self._sweeper = Sweeper()
        self._ingress = IngressRules(self._sweeper)
        self._tasks = TaskRules(self._nothing, self._sweeper)
        self._dns = DnsServer(resolvers=resolvers)
        self._stand_in = stand_in
        self._apply_turn = threading.Lock()
        self._overlay_turn = threading.Lock()
        self._names_turn = threading.Lock()
        self._zone: tuple[AssignmentSet, Zone] = (self._nothing, {})
        self._lock = threading.Lock()  # the fields below
        self._assignment = self._nothing
        self._ensured: dict[str, NetworkAssignment] = {}  # asked for since the last apply
        self._there: dict[str, NetworkAssignment] = {}  # as they were when last looked at
        self._gateways: dict[str, str] = {}
        self._leftovers: frozenset[str] | None = frozenset()  # names; None is not known
        self._rules_index = 0
        self._may_be_accepted = True  # not known before the first look

    @property
    def rules_index(self) -> int:
        """Index of the newest assignment whose backends, and no others, are chosen everywhere on
        this node. It grows with `apply` even when another part of that fails."""
        return self._rules_index

    def apply(self, assignment: AssignmentSet, containers: Mapping[str, ContainerSandbox]) -> None:
        """Make the node match; `containers` are the running ones, by task id.

        Raises `TemporaryFailure` or `PermanentFailure` naming what could not be done; everything
        else has been done then.
        """
        with self._apply_turn:
            failures = Failures()
            with self._lock:
                self._assignment = assignment
                ensured_before = tuple(self._ensured)
            self._tasks.assign(assignment, containers.values())
            remotes = overlay_plan.remote_entries(assignment, data_address=self._data_address)
            network_ids = [network.id for network in assignment.networks]
            self._overlay.write_entries(remotes, network_ids, failures)
            self._apply_rules(assignment, failures)
            self._publish_names()
            self._ensure(assignment.networks, failures, with_leftovers=False)
            with failures.collected():
                self._accept(is_wanted=bool(assignment.ingress))
            with self._lock:
                for network_id in ensured_before:
                    self._ensured.pop(network_id, None)
            failures.raise_any()

    def ensure_networks(self, networks: Iterable[NetworkAssignment]) -> Mapping[str, str]:
        """These networks are there, before containers are attached to them: the engine's name of
        each, by network id. Raises when one of them could not be made.

        What was there when last looked at is not looked at again; `apply` does that.
        """
        networks = tuple(networks)
        with self._lock:
            self._ensured |= {network.id: network for network in networks}
            missing = [network for network in networks if self._there.get(network.id) != network]
        if missing:
            failures = Failures()
            self._ensure(missing, failures)
            failures.raise_any()
        return {network.id: network.name for network in networks}

    def container_started(self, sandbox: ContainerSandbox) -> None:
        """The container runs: its VIPs work when this returns, and names that lead to them are
        answered. A container that has ended meanwhile is no failure."""
        self._tasks.add(sandbox)
        self._publish_names()

    def container_ended(self, task_id: str) -> None:
        """The container has ended; what was kept for it goes, and networks that only waited for it.

        Raises when such a network cannot be removed.
        """
        self._tasks.drop(task_id)
        self._publish_names()
        if self._leftovers:
            failures = Failures()
            self._remove_leftovers(failures)
            failures.raise_any()

    def dns_servers(self, task_networks: Iterable[str]) -> tuple[str, ...]:
        """The addresses on which this node answers a task that is attached to these networks (ids),
        in their order."""
        with self._lock:
            return tuple(
                self._gateways[network_id]
                for network_id in task_networks
                if network_id in self._gateways
            )

    def close(self, *, remove: bool) -> None:
        """Stop answering names. What carries traffic stays, unless `remove`: then nothing of ours
        is left on the node. Raises when something could not be removed."""
        self._dns.close()
        with self._overlay_turn:
            if self._stand_in is not None:
                self._stand_in.dismiss()
        self._sweeper.close()
        if not remove:
            return
        with self._apply_turn:
            failures = Failures()
            with self._lock:
                self._assignment = self._nothing
                self._ensured = {}
            self._tasks.remove_all(failures)
            with failures.collected():
                self._ingress.remove()
            with failures.collected():
                firewall.remove_accepted()
            self._remove_leftovers(failures)
            with failures.collected():
                self._complain_about_leftovers()
            failures.raise_any()

    def _apply_rules(self, assignment: AssignmentSet, failures: Failures) -> None:
        of_rules = Failures()
        with of_rules.collected():
            self._ingress.apply(assignment, self._tasks.alive())
        self._tasks.refresh(of_rules)
        if not of_rules:
            self._rules_index = max(self._rules_index, assignment.index)
        with failures.collected():
            of_rules.raise_any()

    def _accept(self, *, is_wanted: bool) -> None:
        """The engine's firewall lets published connections through, where there are any. To see
        that nothing is to be removed costs a process, and is done once."""
        if is_wanted:
            self._may_be_accepted = True
            firewall.ensure_accepted()
        elif self._may_be_accepted:
            firewall.remove_accepted()
            self._may_be_accepted = False

    def _ensure(
        self,
        networks: Sequence[NetworkAssignment],
        failures: Failures,
        *,
        with_leftovers: bool = True,
    ) -> None:
        """These networks are there, and others that nobody needs, if they may stay."""
        with self._overlay_turn:
            with self._lock:
                assignment = self._assignment
            look = self._overlay.look(failures)
            if not with_leftovers:
                self._remove_absent(look, failures)
            there = self._overlay.ensure(
                networks,
                overlay_plan.remote_entries(assignment, data_address=self._data_address),
                self._tasks.sandboxes(),
                look,
                failures,
            )
            with self._lock:
                for network in networks:
                    self._there.pop(network.id, None)
                    if network.id in there:
                        self._there[network.id] = network
                        self._gateways[network.id] = network.gateway
                self._forget_unneeded()
                listened = {gateway: network_id for network_id, gateway in self._gateways.items()}
            with failures.collected():
                if listened and self._stand_in is not None:
                    self._stand_in.relieve()
                self._dns.listen(listened)

    def _remove_leftovers(self, failures: Failures) -> None:
        """Networks that neither the assignment nor a container about to be made needs."""
        with self._overlay_turn:
            self._remove_absent(self._overlay.look(failures), failures)

    def _remove_absent(self, look: Look, failures: Failures) -> None:
        with self._lock:
            kept = self._forget_unneeded()
        self._leftovers = self._overlay.remove_absent(kept, look, failures)

    def _forget_unneeded(self) -> set[str]:
        """Keep in mind only networks that are assigned or asked for; their ids. Under the lock."""
        kept = {network.id for network in self._assignment.networks} | set(self._ensured)
        for network_id in [*self._gateways]:
            if network_id not in kept:
                del self._gateways[network_id]
                self._there.pop(network_id, None)
        return kept

    def _complain_about_leftovers(self) -> None:
        if self._leftovers:
            raise TemporaryFailure(
                f"containers still use {', '.join(sorted(self._leftovers))}",
                retry_after_seconds=_RETRY_SECONDS,
            )

    def _publish_names(self) -> None:
        """The DNS server knows the newest zone, and which clients' VIPs work."""
        with self._names_turn:
            with self._lock:
                assignment = self._assignment
            clients = dns_zone.clients_of(assignment, with_rules=self._tasks.in_force())
            if self._zone[0] is not assignment:
                self._zone = (assignment, dns_zone.build_zone(assignment))
            self._dns.publish(self._zone[1], clients)
