"""The one thread that decides: it looks at everything, hands out actions, and waits for news.

News are a new assignment set, a changed container, an outcome, networks that came up, or `wake_at`.
All of them only mark the state as changed; the decision is `agent.core.reconcile`. One task has one
action at a time (its *lane*); pulls run per image and health tests beside the lanes, because both
may take long and a stop must not wait for them.
"""

import logging
import threading
from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.core import actions, image_wishes, reconcile, task_machine
from agent.core.observed import (
    LABEL_CLUSTER_ID,
    LABEL_NODE_ID,
    Container,
    ContainerState,
    ContainerSummary,
)
from agent.drivers.disk import AgentFolder
from agent.drivers.engine import ContainerEvent, Engine
from agent.drivers.task_files import TaskFiles
from agent.drivers.task_rules import ContainerSandbox
from agent.worker import execution
from agent.worker.ends import Ends
from agent.worker.execution import Execution, NodeIdentity, Seen
from agent.worker.network_part import NetworkControl, NetworkPart
from agent.worker.observer import Observer
from agent.worker.pool import Pool
from agent.worker.records import Records
from stackctl.errors import DriverFailure
from stackctl.model.assignment import AssignmentSet
from stackctl.model.structs import Model
from stackctl.wire.agent_protocol import TaskReport

LANE_THREADS_MAX = 8
PULL_THREADS_MAX = 3
PROBE_THREADS_MAX = 4
AFTER_FAILURE_SECONDS = 1.0

_LOOK = "look"
# Events that our own action under way brings about; the action looks at the container itself.
_OWN_EVENTS: Mapping[str, type[Model]] = {
    "start": actions.StartContainer,
    "destroy": actions.RemoveContainer,
}
_ENDED = (ContainerState.EXITED, ContainerState.DEAD)
_log = logging.getLogger(__name__)


class Worker:
    """Runs the tasks of one node."""

    def __init__(
        self,
        *,
        engine: Engine,
        identity: NodeIdentity,
        network: NetworkControl,
        folder: AgentFolder,
        files: TaskFiles,
        clock: Clock,
        on_report: Callable[[TaskReport], None],
        on_applied: Callable[[int], None],
        on_container: Callable[[], None] = lambda: None,
        before_stop: Callable[[int], object] = lambda _pid: None,
    ) -> None:
        """`on_report`, `on_applied` and `on_container` (a container appeared, changed or went) are
        called from the worker's threads and must not wait; `before_stop` is for `Execution`.
        """
        self._engine = engine
        self._network = network
        self._folder = folder
        self._clock = clock
        self._on_applied = on_applied
        self._on_container = on_container
        self._labels = {
            LABEL_CLUSTER_ID: identity.cluster_id,
            LABEL_NODE_ID: identity.node_id,
        }
        self._execution = Execution(
            engine=engine, identity=identity, dns=network, files=files, before_stop=before_stop
        )
        self._observer = Observer(
            engine=engine,
            labels=self._labels,
            clock=clock,
            on_event=self._heard,
            full_look=self._full_look,
        )
        self._network_part = NetworkPart(
            network=network,
            folder=folder,
            files=files,
            sandboxes=self._sandboxes,
            on_networks=self._networks_are_there,
            on_applied=self._network_is_applied,
        )
        self._lanes = Pool("lane", threads_max=LANE_THREADS_MAX)
        self._pulls = Pool("pull", threads_max=PULL_THREADS_MAX)
        self._probes = Pool("probe", threads_max=PROBE_THREADS_MAX)
        # Everything below is guarded by this condition.
        self._changed = threading.Condition()
        self._is_changed = False
        self._ending = False
        self._ends = Ends()
        self._has_looked = False  # nothing is decided before the first full look
        self._assignment = AssignmentSet(node_id=identity.node_id, term=0, index=0)
        self._is_confirmed = False
        self._applied_index = 0
        self._containers: dict[str, Container] = {}
        self._records = Records(
            folder,
            on_report=on_report,
            title_of=lambda task_id: execution.title_of(task_id, self._assignment),
        )
        self._engine_networks: Mapping[str, str] = {}
        self._busy: dict[str, actions.Action | str] = {}
        self._probing: set[str] = set()
        self._pulling: set[str] = set()
        self._look_again: dict[str, str] = {}  # task id -> container id

    # -- from outside ------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what is on disk and in the engine, then begin to decide."""
        self._records.load()
        kept = self._folder.read_assignment()
        if kept is not None:
            self._assignment = kept
            _log.info("held from before: assignment %d with %d tasks", kept.index, len(kept.tasks))
        threading.Thread(target=self._decide_for_ever, name="worker", daemon=True).start()
        self._network_part.start()
        self._observer.start()

    def stop(self) -> None:
        """Decide nothing more; containers and network stay as they are."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._observer.stop()
        self._network_part.stop()

    def held(self) -> AssignmentSet:
        """The assignment set in hand."""
        with self._changed:
            return self._assignment

    def hold(self, assignment: AssignmentSet) -> bool:
        """A manager sent this set. False, and nothing done, when it is older than the one held."""
        with self._changed:
            held = self._assignment
            if (assignment.term, assignment.index) < (held.term, held.index):
                _log.warning(
                    "refused assignment %d of term %d: older than %d of term %d",
                    assignment.index,
                    assignment.term,
                    held.index,
                    held.term,
                )
                return False
            self._assignment = assignment
            self._is_confirmed = True
            has_new_leftovers = assignment.former_node_ids != held.former_node_ids
            self._note_change()
            # Before the first look the running containers are unknown, and a network applied
            # without them would be taken away from them; the look hands the set over then.
            if self._has_looked:
                self._network_part.hand_over(assignment)
        if has_new_leftovers:
            self._lanes.submit(self._look_for_leftovers)
        return True

    def applied_index(self) -> int:
        """The newest assignment whose network is in force."""
        with self._changed:
            return self._applied_index

    def reports(self) -> tuple[TaskReport, ...]:
        """The last status of every task of the set."""
        with self._changed:
            return self._records.reports(self._assignment)

    def container_of(self, task_id: str) -> Container | None:
        """The container of a task, as last seen."""
        with self._changed:
            return self._containers.get(task_id)

    def engine_silent_seconds(self) -> float:
        """For how long the engine has not answered."""
        return self._observer.silent_seconds()

    # -- the loop ----------------------------------------------------------------------------

    def _decide_for_ever(self) -> None:
        while True:
            try:
                if not self._decide():
                    return
            except Exception:  # noqa: BLE001  # top of a thread: one odd task must not end it
                _log.exception("a round of decisions failed; trying again")
                with self._changed:
                    self._changed.wait(AFTER_FAILURE_SECONDS)

    def _decide(self) -> bool:
        """One round, then wait. False when the worker ends."""
        with self._changed:
            if self._ending:
                return False
            if not self._has_looked:
                self._changed.wait()
                return True
            self._is_changed = False
            plan = reconcile.reconcile(self._situation())
            self._accept(plan)
            unkept = self._records.take_changes()
        if unkept is not None:
            self._folder.write_records(unkept)
        for action in plan.actions:
            self._begin(action)
        with self._changed:
            if not self._is_changed and not self._ending:
                wake_at = plan.wake_at
                timeout = None if wake_at is None else max(0.0, wake_at - self._clock.now())
                self._changed.wait(timeout)
        return True

    def _situation(self) -> reconcile.NodeSituation:
        return reconcile.NodeSituation(
            assignment=self._assignment,
            is_confirmed=self._is_confirmed,
            containers=dict(self._containers),
            records=self._records.snapshot(),
            engine_networks=self._engine_networks,
            now=self._clock.now(),
            busy=frozenset(self._busy),
            stopping=frozenset(
                task_id
                for task_id, action in self._busy.items()
                if isinstance(action, actions.SignalContainer)
            ),
            probing=frozenset(self._probing),
            pulling=frozenset(self._pulling),
        )

    def _accept(self, plan: reconcile.Plan) -> None:
        for record in plan.records.values():
            self._records.put(record)
        self._records.forget(plan.forgotten)
        for action in plan.actions:
            if isinstance(action, actions.ProbeHealth):
                self._probing.add(action.task_id)
            elif isinstance(action, actions.PullImage):
                self._pulling.add(action.subject)
            else:
                self._busy[action.task_id] = action

    # -- actions -----------------------------------------------------------------------------

    def _begin(self, action: actions.Action) -> None:
        if isinstance(action, actions.PullImage):
            self._pulls.submit(lambda: self._pull(action))
        elif isinstance(action, actions.ProbeHealth):
            self._probes.submit(lambda: self._probe(action))
        else:
            urgency = reconcile.urgency(action)
            self._lanes.submit(lambda: self._act(action), urgency=urgency)

    def _act(self, action: actions.Action) -> None:
        with self._changed:
            assignment, networks = self._assignment, self._engine_networks
            if isinstance(action, actions.TellContents):
                now = self._clock.elapsed()
                self._ends.tell(action.container_id, action.signals, now=now)
        outcome, seen = self._execution.perform(action, assignment, networks)
        with self._changed:
            record = self._records.get(action.task_id)
            if record is not None:
                now = self._clock.now()
                self._records.put(task_machine.with_outcome(record, action, outcome, now=now))
        self._leave_lane(action.task_id, seen)

    def _pull(self, action: actions.PullImage) -> None:
        with self._changed:
            assignment, networks = self._assignment, self._engine_networks
        outcome, _ = self._execution.perform(action, assignment, networks)
        with self._changed:
            self._pulling.discard(action.subject)
            now = self._clock.now()
            for task in assignment.tasks:
                record = self._records.get(task.id)
                if record is not None and image_wishes.is_served(task, record, action):
                    after = task_machine.with_pull(record, action.image, outcome, now=now)
                    self._records.put(after)
            self._note_change()

    def _probe(self, action: actions.ProbeHealth) -> None:
        with self._changed:
            assignment, networks = self._assignment, self._engine_networks
        outcome, _ = self._execution.perform(action, assignment, networks)
        with self._changed:
            self._probing.discard(action.task_id)
            record = self._records.get(action.task_id)
            if record is not None:
                now = self._clock.now()
                self._records.put(task_machine.with_outcome(record, action, outcome, now=now))
            self._note_change()

    # -- what the engine shows ---------------------------------------------------------------

    def _heard(self, event: ContainerEvent) -> None:
        with self._changed:
            action = self._busy.get(event.task_id)
            seen = self._containers.get(event.task_id)
            self._ends.hear(event, seen, now=self._clock.elapsed())
        if event.kind == "kill":
            return  # its end is an event of its own
        own = _OWN_EVENTS.get(event.kind)
        if own is None or not isinstance(action, own):
            self._look(event.task_id, event.container_id)

    def _full_look(self, after_absence: bool) -> None:
        """Compare the engine's list with what is known; look closer at every difference."""
        found = {item.task_id: item for item in self._list_containers()}
        with self._changed:
            known = dict(self._containers)
            is_first = not self._has_looked
        due = {
            task_id: item.id
            for task_id, item in found.items()
            if (seen := known.get(task_id)) is None
            or (seen.id, seen.state, seen.health) != (item.id, item.state, item.health)
        }
        due |= {
            task_id: container.id for task_id, container in known.items() if task_id not in found
        }
        if after_absence:
            ended = {item.id for item in found.values() if item.state in _ENDED}
            with self._changed:
                self._ends.miss(ended & set(due.values()), is_first_look=is_first)
        if not is_first:
            for task_id, container_id in due.items():
                self._look(task_id, container_id)
            return
        for task_id, container_id in due.items():
            container = self._engine.inspect(container_id)
            if container is not None:
                _log.info("task %s: container found, %s", task_id, container.state)
                self._note_seen(task_id, Seen(container=container))
        with self._changed:
            self._has_looked = True
            self._note_change()
            if self._assignment.index:
                self._network_part.hand_over(self._assignment, is_kept=not self._is_confirmed)

    def _list_containers(self) -> list[ContainerSummary]:
        """Those of this node, and those of nodes that it was before it joined again: the manager
        has given up their tasks, so they are strays.
        """
        with self._changed:
            former = self._assignment.former_node_ids
        found = list(self._engine.list_containers(self._labels))
        for node_id in former:
            labels = {**self._labels, LABEL_NODE_ID: node_id}
            found.extend(self._engine.list_containers(labels))
        return found

    def _look_for_leftovers(self) -> None:
        try:
            self._full_look(False)
        except DriverFailure as failure:
            _log.warning("cannot look for leftover containers: %s", failure.reason)

    def _look(self, task_id: str, container_id: str) -> None:
        with self._changed:
            if task_id in self._busy:
                self._look_again[task_id] = container_id
                return
            self._busy[task_id] = _LOOK
        self._lanes.submit(
            lambda: self._leave_lane(task_id, self._execution.look(container_id)), urgency=0
        )

    def _leave_lane(self, task_id: str, seen: Seen | None) -> None:
        """A lane's job is over: note what it saw, look again when something was heard meanwhile."""
        if seen is not None:
            self._note_seen(task_id, seen)
        with self._changed:
            self._busy.pop(task_id, None)
            heard = self._look_again.pop(task_id, "")
            self._note_change()
        if heard:
            self._look(task_id, heard)

    def _note_seen(self, task_id: str, seen: Seen) -> None:
        with self._changed:
            before = self._containers.get(task_id)
            if seen.container is None:
                gone = self._containers.pop(task_id, None)
                self._ends.forget(gone.id if gone else "")
            else:
                now = self._clock.elapsed()
                self._containers[task_id] = self._ends.explain(seen.container, now=now)
            sandbox = self._sandboxes().get(task_id)
        self._on_container()
        was_up = before is not None and before.is_up
        is_up = seen.container is not None and seen.container.is_up
        try:
            if sandbox is not None and (not was_up or before is None or before.pid != sandbox.pid):
                self._network.container_started(sandbox)
            elif was_up and not is_up:
                self._network.container_ended(task_id)
        except DriverFailure as failure:
            _log.warning("task %s: its network: %s", task_id, failure.reason)

    def _sandboxes(self) -> Mapping[str, ContainerSandbox]:
        with self._changed:
            addresses = {task.id: task.addresses for task in self._assignment.tasks}
            return {
                task_id: ContainerSandbox(
                    task_id=task_id, pid=container.pid, addresses=addresses.get(task_id, {})
                )
                for task_id, container in self._containers.items()
                if container.is_up and container.pid
            }

    def _networks_are_there(self, engine_networks: Mapping[str, str]) -> None:
        with self._changed:
            if self._engine_networks != engine_networks:
                self._engine_networks = engine_networks
                self._note_change()

    def _network_is_applied(self, index: int) -> None:
        with self._changed:
            if index == self._applied_index:
                return
            self._applied_index = index
        self._on_applied(index)

    def _note_change(self) -> None:
        self._is_changed = True
        self._changed.notify_all()
