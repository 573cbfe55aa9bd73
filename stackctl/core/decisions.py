"""One controller round in the making: a draft of the state, and the changes decided so far.

Every loop of a round reads the draft and decides by `do`, so later loops see what earlier ones
decided, and the whole round becomes one entry of the log. "Later" is a time returned by `wake`.
"""

from collections.abc import Callable, Mapping

from stackctl.core.orchestration.slots import Slot, SlotKey, slots_of
from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.state.changes import Change
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.enacting import apply_change


class Decisions:
    """The changes of a round, applied to a draft as they are decided.

    `acknowledged` is, by node id, the newest log index whose network part that node's agent has in
    force. `new_id` returns a fresh task id each time (random, from the edge).
    """

    def __init__(
        self,
        state: ClusterState,
        *,
        now: float,
        new_id: Callable[[], str],
        acknowledged: Mapping[str, int],
    ) -> None:
        self.base = state
        self.draft = Draft(state, index=state.index + 1, term=state.term)
        self.now = now
        self.new_id = new_id
        self.acknowledged = acknowledged
        self.changes: list[Change] = []
        self.wakes: dict[str, float] = {}
        self.draining: set[str] = set()
        self.holding: set[str] = set()
        self._slots: dict[str, tuple[object, Mapping[SlotKey, Slot]]] = {}

    def do(self, change: Change) -> None:
        """Decides a change."""
        apply_change(self.draft, change, now=self.now)
        self.changes.append(change)

    def slots(self, service_id: str) -> Mapping[SlotKey, Slot]:
        """The slots of a service as decided so far, by key; built anew only after a change."""
        tasks = self.draft.tasks_of(service_id)
        built = self._slots.get(service_id)
        if built is None or built[0] is not tasks:
            built = (tasks, slots_of(tasks.values()))
            self._slots[service_id] = built
        return built[1]

    def tasks(self, service_id: str) -> list[objects.Task]:
        """The tasks of a service by slot and age: decisions come in the same order wherever they
        are made, which a map's own order does not give.
        """
        return [task for slot in self.slots(service_id).values() for task in slot.tasks]

    def wake(self, service_id: str, at: float) -> None:
        """The service must be looked at again at that time, even if nothing happens."""
        self.wakes[service_id] = min(at, self.wakes.get(service_id, at))

    def node_of(self, task: objects.Task) -> objects.Node | None:
        """The node of a task, None when it has none or the node is gone."""
        return self.draft.nodes.get(task.node_id)

    def is_on_live_node(self, task: objects.Task) -> bool:
        """True when the task's node is there and not DOWN."""
        node = self.node_of(task)
        return node is not None and node.state != NodeState.DOWN
