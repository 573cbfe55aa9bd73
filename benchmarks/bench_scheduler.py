"""The scheduler's cost: pending tasks to assigned ones, and rounds in which nothing is to be done.

    python benchmarks/bench_scheduler.py

Numbers stand beside the limits of the design. Each is the best of a few runs, in seconds of the
processor, and beside it how much slower the machine is just then than a quiet one. "decide" is what
the scheduler does in a round, from pending tasks to a state in which they are assigned: Swarm's
benchmark measures the same, and so do the limits. "log" is what the log costs after that: encoding
the decisions as entries and applying them, which every manager does.
"""

import gc
import heapq
import itertools
import time
from collections.abc import Callable, Sequence

from stackctl.core.decisions import Decisions
from stackctl.core.rest import NO_REST, Rest
from stackctl.core.rounds import run_round
from stackctl.core.scheduling.schedule import schedule
from stackctl.manager.daemon import COLLECTION_THRESHOLDS
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
LIMIT_QUIET_SECONDS = 0.005
CALIBRATION_QUIET_SECONDS = 0.03
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
    """The shortest of a few runs, in seconds of the processor: what else the machine does while a
    run waits does not count.
    """
    found = []
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def calibrate() -> float:
    """How much slower this machine is at the moment than the one the limits were set for, a quiet
    one of two cores: the time of a fixed piece of the same kind of work, beside its time there.
    """

    def work() -> None:
        heap: list[tuple[int, int]] = []
        for number in range(40_000):
            heapq.heappush(heap, (number * 7919 % 40_009, number))
        while heap:
            heapq.heappop(heap)

    return best_seconds(work) / CALIBRATION_QUIET_SECONDS


def show(what: str, seconds: float, limit: float | None = None, swarm: float | None = None) -> None:
    """One line; the share of the limit is corrected by how slow the machine is at the moment."""
    slowness = calibrate()
    beside = f"  limit {limit:7.3f} s" if limit is not None else " " * 16
    beside += f"  {seconds / slowness / limit:5.0%} of it" if limit is not None else ""
    beside += f"  Swarm {swarm:6.2f} s" if swarm is not None else ""
    print(f"{what:<58}{seconds:8.4f} s  machine x{slowness:4.2f}{beside}", flush=True)


def measure_placing(
    tasks: int, *, services: int, what: str, limit: float, swarm: float | None = None
) -> None:
    """Pending to assigned."""
    state = cluster(tasks, services=services, state=TaskState.PENDING)
    changes = decide(state)
    assert len(changes) == tasks
    deciding = best_seconds(lambda: decide(state))
    logging = best_seconds(lambda: log(state, changes))
    show(f"{what}: decide", deciding, limit, swarm)
    show(f"{what}: log", logging)


def measure_quiet_rounds() -> None:
    """Rounds over 10,000 running tasks that have nothing to decide: the first one of a leader, the
    next ones, and one of a service to which something happened.
    """
    state = cluster(10_000, services=100, state=TaskState.RUNNING)
    numbers = itertools.count()

    def look(service_ids: list[str] | None, rest: Rest = NO_REST) -> Rest:
        done = run_round(
            state,
            now=10,
            new_id=lambda: f"t{next(numbers)}",
            acknowledged={},
            service_ids=service_ids,
            rest=rest,
        )
        assert not done.changes
        return done.rest

    rest = look(None)
    show("first round over 10,000 quiet tasks", best_seconds(lambda: look(None)))
    show("next round over them", best_seconds(lambda: look(None, rest)), LIMIT_QUIET_SECONDS)
    show("round over 100 of them", best_seconds(lambda: look(["s1"], rest)), LIMIT_QUIET_SECONDS)


def main() -> None:
    """All measurements, with garbage looked for as seldom as a manager does."""
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    for tasks, services, what, limit, swarm in (
        (10_000, 10_000, "10,000 tasks of 10,000 services", 0.5, SWARM_10_000_SECONDS),
        (10_000, 100, "10,000 tasks of 100 services", 0.5, SWARM_10_000_SECONDS),
        (100_000, 10_000, "100,000 tasks of 10,000 services", 5.0, SWARM_100_000_SECONDS),
        (100_000, 1, "100,000 tasks of one service", 2.0, SWARM_100_000_SECONDS),
    ):
        measure_placing(tasks, services=services, what=what, limit=limit, swarm=swarm)
    measure_quiet_rounds()


if __name__ == "__main__":
    main()
