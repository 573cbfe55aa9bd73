"""The scheduler's cost: pending tasks to assigned ones, and rounds in which nothing is to be done.

    python benchmarks/bench_scheduler.py

Numbers stand beside the limits of the design. Each is the best of a few runs: the machine's other
work makes runs slower, never faster. "decide" is what the scheduler does in a round; "log" is
encoding the decisions as entries and applying them, which every manager does; the two together are
what lies between a deploy and its assignments.
"""

import gc
import itertools
import time
from collections.abc import Callable, Sequence

from stackctl.core.decisions import Decisions
from stackctl.core.rounds import run_round
from stackctl.core.scheduling.schedule import schedule
from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands, revisions
from stackctl.state.apply import apply
from stackctl.state.changes import Change
from stackctl.state.cluster import ClusterState, Draft

NODES = 1000
CHANGES_PER_ENTRY = 1000  # as the leader splits a round
RUNS = 3
SWARM_10_000_SECONDS = 2.07  # Docker Swarm's own Go benchmark on a comparable machine
SWARM_100_000_SECONDS = 21.4
LIMIT_10_000_SECONDS = 0.5
LIMIT_100_000_SECONDS = 5.0
TERM = 1


def cluster(tasks: int, *, services: int, state: TaskState) -> ClusterState:
    """A cluster of 1,000 nodes whose services have that many tasks together."""
    draft = Draft(ClusterState(), index=1, term=TERM)
    for number in range(NODES):
        draft.put_node(
            objects.Node(
                id=f"n{number}",
                role=NodeRole.WORKER,
                state=NodeState.READY,
                description=objects.NodeDescription(
                    hostname=f"host{number}", nano_cpus=64 * specs.NANO, memory_bytes=1 << 40
                ),
            )
        )
    share = tasks // services
    for number in range(services):
        spec = specs.ServiceSpec(
            name=f"shop_s{number}",
            replicas=share,
            task=specs.TaskSpec(
                container=specs.ContainerSpec(image="app:1"),
                placement=specs.Placement(constraints=("node.role==worker",)),
                reservations=specs.Resources(nano_cpus=1_000_000, memory_bytes=1 << 20),
            ),
        )
        service_id = f"s{number}"
        draft.put_service(revisions.created(spec, service_id=service_id, stack_name="", now=1))
        for slot in range(1, share + 1):
            draft.put_task(
                objects.Task(
                    id=f"{service_id}.{slot}",
                    service_id=service_id,
                    slot=slot,
                    revision=1,
                    node_id=f"n{slot % NODES}" if state >= TaskState.ASSIGNED else "",
                    status=objects.TaskStatus(state=state),
                )
            )
    return draft.finish()


def decide(state: ClusterState) -> Sequence[Change]:
    """Gives every pending task its node."""
    decisions = Decisions(state, now=10, new_id=lambda: "none", acknowledged={})
    schedule(decisions)
    return decisions.changes


def log(state: ClusterState, changes: Sequence[Change]) -> ClusterState:
    """Encodes and applies a round."""
    for start in range(0, len(changes), CHANGES_PER_ENTRY):
        part = tuple(changes[start : start + CHANGES_PER_ENTRY])
        entry = commands.encode_command(commands.ApplyRound(term=TERM, changes=part, now=10))
        state = apply(state, entry, index=state.index + 1, term=TERM).state
    return state


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of a few runs."""
    found = []
    for _ in range(RUNS):
        gc.collect()
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def show(what: str, seconds: float, limit: float | None = None, swarm: float | None = None) -> None:
    """One line."""
    beside = f"  limit {limit:6.2f} s" if limit is not None else ""
    beside += f"  Swarm {swarm:6.2f} s" if swarm is not None else ""
    print(f"{what:<52}{seconds:8.3f} s{beside}")


def measure_placing(
    tasks: int, *, services: int, what: str, limit: float, swarm: float | None = None
) -> None:
    """Pending to assigned."""
    state = cluster(tasks, services=services, state=TaskState.PENDING)
    changes = decide(state)
    assert len(changes) == tasks
    show(f"{what}: decide", best_seconds(lambda: decide(state)), limit, swarm)
    show(f"{what}: log", best_seconds(lambda: log(state, changes)))


def measure_quiet_rounds() -> None:
    """Rounds over 10,000 running tasks, of everything and of one service of a hundred."""
    state = cluster(10_000, services=100, state=TaskState.RUNNING)
    numbers = itertools.count()

    def look(service_ids: list[str] | None) -> None:
        done = run_round(
            state,
            now=10,
            new_id=lambda: f"t{next(numbers)}",
            acknowledged={},
            service_ids=service_ids,
        )
        assert not done.changes

    show("quiet round over 10,000 tasks", best_seconds(lambda: look(None)))
    show("quiet round over 100 of them", best_seconds(lambda: look(["s1"])))


def main() -> None:
    """All measurements."""
    measure_placing(
        10_000,
        services=100,
        what="10,000 tasks of 100 services on 1,000 nodes",
        limit=LIMIT_10_000_SECONDS,
        swarm=SWARM_10_000_SECONDS,
    )
    measure_placing(
        10_000,
        services=1,
        what="10,000 tasks of one service",
        limit=LIMIT_10_000_SECONDS,
        swarm=SWARM_10_000_SECONDS,
    )
    measure_placing(
        100_000,
        services=1,
        what="100,000 tasks of one service",
        limit=LIMIT_100_000_SECONDS,
        swarm=SWARM_100_000_SECONDS,
    )
    measure_quiet_rounds()


if __name__ == "__main__":
    main()
