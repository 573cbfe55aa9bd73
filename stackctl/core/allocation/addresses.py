"""Addresses on overlay networks: of tasks, of virtual IPs, of each node's gateway.

Next-fit within the network's subnet, or the range of it that the network may use: an address that
was just freed is not given out again at once.
An address is free when its task is known to have ended, or its node was removed.
"""

from collections import Counter
from ipaddress import IPv4Address, IPv4Network

from stackctl.core.decisions import Decisions
from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetAddressCursor


class AddressPool:
    """The free addresses of one network during one round.

    Beside its own address a task needs the gateway of the node that it comes to. So while
    `nodes_without` nodes have no gateway, one address is kept for each of the `waiting` tasks that
    have an address but no node: tasks that took the last ones could never start.
    """

    def __init__(
        self,
        network: objects.Network,
        used: set[str],
        *,
        nodes_without: int = 0,
        waiting: int = 0,
    ) -> None:
        self.network = network
        self.is_touched = False
        self._subnet = IPv4Network(network.subnet)
        self._range = IPv4Network(network.spec.ip_range or network.subnet)
        self._used = used
        self._used_in_range = len(used)
        if network.spec.ip_range:  # what is reserved or was given out outside takes no room in it
            self._used_in_range = sum(IPv4Address(address) in self._range for address in used)
        # Nobody can have the first and the last address of a subnet.
        self._ends = (int(self._subnet.network_address), int(self._subnet.broadcast_address))
        self._next = network.address_next
        self._nodes_without = nodes_without
        self._waiting = waiting

    @property
    def free(self) -> int:
        """How many addresses are left."""
        return self._room - self._used_in_range

    @property
    def has_room_for_task(self) -> bool:
        """True when a task may take an address."""
        return self.free > min(self._nodes_without, self._waiting + 1)

    @property
    def has_room_for_vip(self) -> bool:
        """True when a virtual IP may take an address."""
        return self.free > min(self._nodes_without, self._waiting)

    def take_for_task(self) -> str | None:
        """An address for a task, or None when there is no room for one."""
        if not self.has_room_for_task:
            return None
        self._waiting += 1
        return self.take()

    def take(self) -> str | None:
        """A free address, or None when the subnet is full."""
        if self.free <= 0:
            return None
        size = self._range.num_addresses
        base = int(self._range.network_address)
        for step in range(size):
            offset = (self._next + step) % size
            if base + offset in self._ends:
                continue
            address = str(IPv4Address(base + offset))
            if address not in self._used:
                self._used.add(address)
                self._used_in_range += 1
                self._next = (offset + 1) % size
                self.is_touched = True
                return address
        return None

    @property
    def cursor(self) -> int:
        """Where the next search starts."""
        return self._next

    def describe_full(self) -> str:
        """Why nothing could be taken."""
        kept = f", {self.free} kept for gateways of nodes" if self.free else ""
        return (
            f"no free address on network {self.network.name}"
            f" ({self._used_in_range} of {self._room} in use{kept})"
        )

    @property
    def _room(self) -> int:
        ends = sum(IPv4Address(end) in self._range for end in self._ends)
        return self._range.num_addresses - ends


class AddressPools:
    """The pools of a round, each built when it is first needed."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._pools: dict[str, AddressPool] = {}
        self._task_addresses: dict[str, set[str]] | None = None
        self._waiting: Counter[str] = Counter()  # tasks with an address and no node, by network

    def of(self, network: objects.Network) -> AddressPool:
        """The pool of a network that has its subnet."""
        pool = self._pools.get(network.id)
        if pool is None:
            draft = self._decisions.draft
            used = self._used(network)
            pool = AddressPool(
                network,
                used,
                nodes_without=sum(1 for node_id in draft.nodes if node_id not in network.gateways),
                waiting=self._waiting.get(network.id, 0),
            )
            self._pools[network.id] = pool
        return pool

    def store_cursors(self) -> None:
        """Decides where later rounds start to search."""
        for network_id, pool in self._pools.items():
            if pool.is_touched:
                self._decisions.do(
                    SetAddressCursor(network_id=network_id, address_next=pool.cursor)
                )

    def _used(self, network: objects.Network) -> set[str]:
        used = {*network.gateways.values(), *network.spec.reserved_addresses}
        for service in self._decisions.draft.services.values():
            vip = service.endpoint.vips.get(network.id)
            if vip:
                used.add(vip)
        return used | self._addresses_of_tasks().get(network.id, set())

    def _addresses_of_tasks(self) -> dict[str, set[str]]:
        if self._task_addresses is None:
            self._task_addresses = {}
            for task in self._decisions.draft.every_task():
                if task.has_ended:
                    continue
                for network_id, address in task.addresses.items():
                    self._task_addresses.setdefault(network_id, set()).add(address)
                    self._waiting[network_id] += task.status.state < TaskState.ASSIGNED
        return self._task_addresses
