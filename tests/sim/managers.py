"""The managers of a simulated cluster: one log, the real state machine, rounds, feeds and liveness.

Agreement itself is not simulated (the contract tests of consensus do that): an entry is in the log
or it is not. A change of leader raises the term; rounds that the old leader had under way still
arrive, and must be refused. Every applied entry is checked against `stackctl.state.invariants`, a
second manager applies the same bytes, and nodes that are not told of a change must not need to be.
"""

import itertools
from collections.abc import Callable, Sequence

from stackctl.core.agenda import Agenda
from stackctl.core.assignments import assignment_for
from stackctl.core.rounds import run_round
from stackctl.manager.assignment_feed import AssignmentFeed
from stackctl.manager.liveness import Liveness
from stackctl.manager.machine import Publication
from stackctl.manager.relevance import affected_by
from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.state import commands, invariants, snapshot
from stackctl.state.apply import Applied, apply
from stackctl.state.changes import Change
from stackctl.state.cluster import ClusterState
from stackctl.state.events import Event
from stackctl.state.results import Result
from stackctl.wire import agent_protocol as protocol
from tests.sim.machinery import Machinery
from tests.sim.timeline import Timeline
from tests.vaults import VAULT

DOWN_SECONDS = 3.0
ABSENT_SECONDS = 30.0
PUSH_SECONDS = 0.005
WATCH_SECONDS = 0.5
ROUNDS_WITHOUT_PAUSE_MAX = 300  # more within one second means that rounds cause rounds
COMPARE_EVERY = 20  # entries; comparing costs more than applying
SNAPSHOT_EVERY = 200
RELEVANCE_EVERY = 10


class BrokenInvariant(AssertionError):
    """The cluster did what it must never do."""


class Session:
    """An agent's connection."""

    def __init__(self, node_id: str) -> None:
        self.feed = AssignmentFeed(node_id, vault=VAULT)
        self.is_dirty = True
        self.is_pushing = False
        self.announced_index = 0
        self.arrivals = {"up": 0.0, "down": 0.0}  # a connection keeps the order of its frames


class SimulatedManagers:
    """What a cluster's managers do together."""

    def __init__(
        self,
        timeline: Timeline,
        machinery: Machinery,
        *,
        push: Callable[[str, protocol.AssignmentMessage], None],
        answers: Callable[[str], bool],
        on_applied: Callable[[Applied, commands.Command], None] = lambda _applied, _command: None,
    ) -> None:
        self.state = ClusterState()
        self.term = 1
        self.liveness = Liveness(self_id="managers")
        self.sessions: dict[str, Session] = {}
        self.entries = 0
        self._timeline = timeline
        self._machinery = machinery
        self._push = push
        self._answers = answers
        self._on_applied = on_applied
        self._second = ClusterState()
        self._agenda = Agenda()
        self._news: list[Event] = []
        self._has_acknowledgement = False
        self._is_round_under_way = False
        self._is_round_scheduled = False
        self._wakes_at: float | None = None
        self._rounds: list[float] = []
        self._numbers = itertools.count(1)
        self.liveness.subscribe_acknowledged(self._on_acknowledged)
        self._timeline.after(WATCH_SECONDS, self._watch)

    def now(self) -> float:
        """What the clock of whichever manager stamps a command shows."""
        return self._timeline.now + self._machinery.clock_error_seconds()

    # -- the log -----------------------------------------------------------------------------

    def submit(self, command: commands.Command) -> Result:
        """Appends a command and applies it."""
        before = self.state
        entry = commands.encode_command(command)
        applied = apply(before, entry, index=before.index + 1, term=self.term)
        self._second = apply(
            self._second, entry, index=self._second.index + 1, term=self.term
        ).state
        self.entries += 1
        self.state = applied.state
        self._check(before, applied, command)
        self._news.extend(applied.events)
        self._tell_sessions(before, applied)
        self._on_applied(applied, command)
        self._wake()
        return applied.result

    def change_leader(self) -> None:
        """Another manager leads: it knows the state, and nothing else."""
        self.term += 1
        self._agenda = Agenda()
        self._news.clear()
        self._is_round_under_way = False
        self.liveness = Liveness(self_id="managers")
        self.liveness.grant_grace(self.state.nodes, at=self._timeline.now)
        self.liveness.subscribe_acknowledged(self._on_acknowledged)
        for node_id, session in self.sessions.items():
            self.liveness.acknowledge(node_id, session.feed.acknowledged_index)
        self._wake()

    def _check(self, before: ClusterState, applied: Applied, command: commands.Command) -> None:
        faults = [
            *invariants.violations(applied.state),
            *invariants.regressions(before, applied.state),
            *invariants.overcommitments(applied.state),
        ]
        if applied.result.error is not None and applied.events:
            faults.append("a refused command left events")
        if self.entries % COMPARE_EVERY == 0 and self._second != applied.state:
            faults.append("two managers applied the same entries to different states")
        if self.entries % SNAPSHOT_EVERY == 0:
            self._second = snapshot.decode_state(list(snapshot.encode_state(applied.state)))
            if self._second != applied.state:
                faults.append("a snapshot is not the state it was taken of")
        if faults:
            raise BrokenInvariant(
                f"after entry {applied.state.index} ({type(command).__name__}): "
                + "; ".join(faults)
            )

    # -- agents ------------------------------------------------------------------------------

    def connect(self, node_id: str, description: objects.NodeDescription) -> None:
        """An agent opened a session."""
        session = Session(node_id)
        self.sessions[node_id] = session
        self.hear(node_id)
        result = self.submit(
            commands.SeeNode(
                node_id=node_id, manager_id="managers", description=description, now=self.now()
            )
        )
        session.announced_index = result.index
        self._push_soon(node_id, session)

    def disconnect(self, node_id: str) -> None:
        """An agent's session ended."""
        self.sessions.pop(node_id, None)

    def hear(self, node_id: str) -> None:
        """Something came from the node."""
        self.liveness.hear(node_id, at=self._timeline.now)

    def confirm(self, node_id: str, index: int) -> None:
        """The node has the network part of that assignment in force."""
        session = self.sessions.get(node_id)
        if session is not None:
            session.feed.confirm(index)
            self.liveness.acknowledge(node_id, session.feed.acknowledged_index)

    def start_over(self, node_id: str) -> None:
        """The node asked for a whole set."""
        session = self.sessions.get(node_id)
        if session is not None:
            session.feed.start_over()
            self._push_soon(node_id, session)

    def _tell_sessions(self, before: ClusterState, applied: Applied) -> None:
        publication = Publication(before=before, state=applied.state, events=applied.events)
        affected = affected_by(publication)
        for node_id, session in list(self.sessions.items()):
            node = applied.state.nodes.get(node_id)
            if node is None or (
                node.state == NodeState.DOWN and node.version > session.announced_index > 0
            ):
                self.disconnect(node_id)
            elif affected.all_nodes or node_id in affected.node_ids:
                self._push_soon(node_id, session)
            else:
                if self.entries % RELEVANCE_EVERY == 0:
                    self._check_is_unaffected(before, applied.state, node_id)
                if not session.is_dirty:
                    session.feed.is_unchanged_at(applied.state.index)
                    self.liveness.acknowledge(node_id, session.feed.acknowledged_index)

    def _check_is_unaffected(self, before: ClusterState, after: ClusterState, node_id: str) -> None:
        then = assignment_for(before, node_id, term=0)
        now = assignment_for(after, node_id, term=0)
        if [getattr(then, part) for part in _PARTS] != [getattr(now, part) for part in _PARTS]:
            raise BrokenInvariant(f"node {node_id} is not told of a change of its assignment")

    def _push_soon(self, node_id: str, session: Session) -> None:
        session.is_dirty = True
        if not session.is_pushing:
            session.is_pushing = True
            self._timeline.after(PUSH_SECONDS, lambda: self._push_now(node_id, session))

    def _push_now(self, node_id: str, session: Session) -> None:
        session.is_pushing = session.is_dirty = False
        if self.sessions.get(node_id) is not session:
            return
        message = session.feed.next_message(self.state)
        if message is None:
            self.liveness.acknowledge(node_id, session.feed.acknowledged_index)
        else:
            self._push(node_id, message)

    def _watch(self) -> None:
        self._timeline.after(WATCH_SECONDS, self._watch)
        silences = self.liveness.silences(
            self.state.nodes.values(), now=self._timeline.now, down_seconds=DOWN_SECONDS
        )
        for silence in silences:
            seconds = self.liveness.silence_seconds(silence.node.id, now=self._timeline.now)
            if self._answers(silence.node.id) and seconds < ABSENT_SECONDS:
                state, message = NodeState.UNKNOWN, "its agent is not heard of"
            else:
                why = f"heartbeat failure: not heard of for {seconds:.1f} s"
                state, message = NodeState.DOWN, why
            if silence.node.state != state:
                self.submit(
                    commands.LoseNode(
                        node_id=silence.node.id,
                        term=self.term,
                        message=message,
                        state=state,
                        now=self.now(),
                    )
                )

    # -- the leader --------------------------------------------------------------------------

    def _on_acknowledged(self) -> None:
        self._has_acknowledgement = True
        self._wake()

    def _wake(self) -> None:
        if not self._is_round_scheduled and not self._is_round_under_way:
            self._is_round_scheduled = True
            term = self.term
            self._timeline.after(self._machinery.decision_seconds(), lambda: self._decide(term))

    def _decide(self, term: int) -> None:
        self._is_round_scheduled = False
        if term != self.term:
            self._wake()
            return
        if self._is_round_under_way:
            return
        now = self._timeline.now
        news, self._news = self._news, []
        agenda = self._agenda.with_events(news)
        if self._has_acknowledgement:
            agenda = agenda.acknowledged()
        self._has_acknowledgement = False
        self._agenda = agenda = agenda.at(now)
        if not agenda.is_due:
            self._wake_at(agenda.next_at)
            return
        self._check_pace(now)
        done = run_round(
            self.state,
            now=now,
            new_id=lambda: f"t{next(self._numbers)}",
            acknowledged=self.liveness.acknowledged,
            service_ids=None if agenda.everything else agenda.services,
            rest=agenda.rest,
        )
        self._is_round_under_way = True
        size = self._machinery.changes_per_entry
        parts = [done.changes[at : at + size] for at in range(0, len(done.changes), size)]
        self._propose(parts, agenda.after(done, now=now), now=now, term=term)

    def _propose(
        self, parts: Sequence[tuple[Change, ...]], agenda: Agenda, *, now: float, term: int
    ) -> None:
        """Proposes a round's entries one after another; others may come in between."""
        if parts:
            delay = self._machinery.commit_seconds()
            if delay:
                self._timeline.after(delay, lambda: self._commit(parts, agenda, now=now, term=term))
            else:
                self._commit(parts, agenda, now=now, term=term)
            return
        if term == self.term:
            self._agenda = agenda
            self._is_round_under_way = False
            self._wake()

    def _commit(
        self, parts: Sequence[tuple[Change, ...]], agenda: Agenda, *, now: float, term: int
    ) -> None:
        result = self.submit(commands.ApplyRound(term=term, changes=parts[0], now=now))
        if (result.error is None) != (term == self.term):
            raise BrokenInvariant(f"a round of term {term} in term {self.term}: {result.error}")
        if result.error is None:
            self._propose(parts[1:], agenda, now=now, term=term)

    def _wake_at(self, time: float) -> None:
        if self._wakes_at is None or time < self._wakes_at or self._wakes_at <= self._timeline.now:
            self._wakes_at = time
            self._timeline.at(max(time, self._timeline.now + 0.02), self._wake)

    def _check_pace(self, now: float) -> None:
        self._rounds = [*(at for at in self._rounds if at > now - 1), now]
        if len(self._rounds) > ROUNDS_WITHOUT_PAUSE_MAX:
            raise BrokenInvariant(f"{len(self._rounds)} rounds within one second")


_PARTS = ("tasks", "networks", "neighbours", "endpoints", "ingress", "configs", "secrets")
