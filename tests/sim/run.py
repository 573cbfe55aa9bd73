"""One seeded run: random operators and faults, then calm, then what was asked must be so.

    python -m tests.sim.run SEED          replays one run, as does `make replay SEED=…`
    python -m tests.sim.run FIRST LAST    many, on all cores

The seed says how long a run is: most are short, so that a thousand fit into every run of the
tests and faults meet in many combinations; one in a hundred is long (`Size`).

Faults: reports and acknowledgements lost, doubled and late; nodes dying, cut off and returning;
agents restarting or gone; machines replaced or set up anew; leaders changing while rounds are under
way; entries of others between those of a round; clocks of managers that are wrong by seconds.
`stackctl.state.invariants` hold after every entry (`managers`), and at the end the cluster
converges (`convergence`).
"""

import logging
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import NamedTuple

from stackctl.model.objects import Availability, NodeRole
from stackctl.state import commands
from tests.sim.convergence import FITS, left_behind, unfulfilled, unsettled
from tests.sim.machinery import FaultyMachinery
from tests.sim.operators import IMAGES, STACKS, Operators
from tests.sim.world import NANO, World

SETTLE_SECONDS = 100.0  # back-offs, delays, grace periods and updates one slot after another
SILENT_SECONDS = 10.0  # after which the old entry of a machine that was set up anew is silent
LOOK_SECONDS = 2.0  # how often it is asked whether the cluster has settled
OVERLOOKED_TIMES = 5  # looks after which a round should have placed what fits
PATIENCE_SECONDS = 60.0  # how long a task may wait without a fault at the end
LONG_EVERY = 100  # seeds


class Size(NamedTuple):
    """How much happens in a run."""

    nodes: int
    faulty_seconds: float
    pause_seconds: float  # between two acts of operators and faults, on average
    asks_twice: bool  # deploys what must run after the disturbed part has settled
    settles_early: bool  # goes on as soon as nothing is under way
    services_share: float  # how many of the known services a deploy has

    @classmethod
    def of(cls, seed: int, source: random.Random) -> "Size":
        """The size of a seed's run."""
        if seed % LONG_EVERY == 0:
            return cls(
                nodes=4,
                faulty_seconds=80,
                pause_seconds=1.5,
                asks_twice=True,
                settles_early=False,
                services_share=0.7,
            )
        return cls(
            nodes=source.choice((2, 2, 3)),
            faulty_seconds=source.choice((3, 5, 8)),
            pause_seconds=source.choice((0.3, 0.6, 1.2)),
            asks_twice=source.random() < 0.2,
            settles_early=True,
            services_share=source.choice((0.2, 0.3, 0.4, 0.6)),
        )


class Simulation:
    """One run of one seed."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311 - a seed must replay
        self.size = Size.of(seed, self._source)
        self.machinery = FaultyMachinery(self._source)
        self.world = World(self.machinery)
        self._operators = Operators(
            self.world, self._source, services_share=self.size.services_share
        )
        for number in range(1, self.size.nodes + 1):
            self.world.add_node(
                f"n{number}",
                role=NodeRole.MANAGER if number == 1 else NodeRole.WORKER,
                nano_cpus=self._source.choice((1, 2, 4)) * NANO,
                images=self._source.choice((IMAGES, IMAGES[:2])),
            )

    def run(self) -> None:
        """Everything, in order. Raises AssertionError."""
        self._operators.deploy_something()
        self.disturb(self.size.faulty_seconds)
        self._calm_down()
        self._settle(lambda patience: unsettled(self.world, patience_seconds=patience))
        if self.size.asks_twice:
            asked = self._operators_deploy_well()
            self._settle(lambda patience: unfulfilled(self.world, asked, patience_seconds=patience))
        for name in STACKS:
            self.world.submit(commands.RemoveStack(name=name, now=self.world.managers.now()))
        self._settle(lambda _patience: left_behind(self.world))

    def disturb(self, seconds: float) -> None:
        """Operators and faults for that long."""
        end = self.world.timeline.now + seconds
        while self.world.timeline.now < end:
            self._disturb()
            self.world.advance(self._source.expovariate(1 / self.size.pause_seconds))

    def _settle(self, find: Callable[[float], list[str]]) -> None:
        """Lets time pass until nothing waits without need; at the end nothing may have waited for
        too long, and on the way nothing that fits: whatever gives room is to be noticed, and not
        only by the full round of every minute.
        """
        if not self.size.settles_early:
            self.world.advance(SETTLE_SECONDS)
            _refuse(find(PATIENCE_SECONDS))
            return
        end = self.world.timeline.now + SETTLE_SECONDS
        seen: Counter[str] = Counter()
        self.world.advance(LOOK_SECONDS)
        while faults := find(0):
            seen = Counter({fault: seen[fault] + 1 for fault in faults if FITS in fault})
            _refuse([fault for fault, times in seen.items() if times > OVERLOOKED_TIMES])
            if self.world.timeline.now >= end:
                _refuse(find(PATIENCE_SECONDS))
                return
            self.world.advance(LOOK_SECONDS)

    def _operators_deploy_well(self) -> list[object]:
        for node in self.world.nodes.values():
            node.engine.images.update(IMAGES)
        return list(self._operators.deploy_well())

    def _disturb(self) -> None:
        acts: tuple[tuple[Callable[[], None], int], ...] = (
            (self._operators.act, 40),
            (self._fail_or_return, 12),
            (self._cut_or_return, 12),
            (self._restart_agent, 6),
            (self._stop_or_start_agent, 6),
            (self._drop_session, 6),
            (self._kill_something, 14),
            (self._restart_engine, 4),
            (self.world.managers.change_leader, 8),
            (self._replace_machine, 2),
        )
        choices = [act for act, _ in acts]
        self._source.choices(choices, weights=[weight for _, weight in acts])[0]()

    def _node(self) -> str:
        return self._source.choice(sorted(self.world.nodes))

    def _fail_or_return(self) -> None:
        node = self.world.nodes[self._node()]
        if node.is_powered:
            self.world.fail(node)
        else:
            self.world.restore(node)

    def _cut_or_return(self) -> None:
        node = self.world.nodes[self._node()]
        if node.is_cut:
            self.world.restore(node)
        else:
            self.world.cut(node)

    def _restart_agent(self) -> None:
        node = self.world.nodes[self._node()]
        if node.is_powered:
            self.world.restart_agent(node)

    def _stop_or_start_agent(self) -> None:
        node = self.world.nodes[self._node()]
        if node.is_agent_up:
            self.world.stop_agent(node)
        else:
            self.world.restore(node)

    def _drop_session(self) -> None:
        self.world.drop_session(self.world.nodes[self._node()])

    def _kill_something(self) -> None:
        node = self.world.nodes[self._node()]
        names = node.running()
        if names:
            node.engine.end(self._source.choice(names), self._source.choice((0, 1, 137)))
            node.look()

    def _restart_engine(self) -> None:
        self.world.nodes[self._node()].restart_engine()

    def _replace_machine(self) -> None:
        node = self.world.nodes[self._node()]
        if self.world.state.nodes[node.id].role == NodeRole.WORKER:
            replace = self._source.choice((self.world.replace, self.world.rejoin))
            replace(node)

    def _calm_down(self) -> None:
        """Faults end: everything has power, a link, and a session that begins anew."""
        self.machinery.is_calm = True
        self.world.advance(SILENT_SECONDS)  # machines that were set up anew take their places
        for node in self.world.nodes.values():
            self.world.restore(node)
            self.world.drop_session(node)
            self.world.submit(
                commands.ChangeNode(
                    node_id=node.id,
                    availability=Availability.ACTIVE,
                    now=self.world.managers.now(),
                )
            )


def run_seed(seed: int, *, kind: type[Simulation] = Simulation) -> World:
    """Runs one seed; an AssertionError names it."""
    simulation = kind(seed)
    try:
        simulation.run()
    except Exception as error:
        time_passed = simulation.world.timeline.now - simulation.world.timeline.start
        raise AssertionError(
            f"seed {seed} failed at {time_passed:.2f} s of its time; replay it with"
            f" `make replay SEED={seed}`: {error}"
        ) from error
    return simulation.world


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise AssertionError("; ".join(faults))


class Outcome(NamedTuple):
    """How the run of a seed ended."""

    seed: int
    fault: str  # "" if there was none
    entries: int
    seconds: float  # of this machine's time


@contextmanager
def quiet_agents() -> Iterator[None]:
    """What agents log of refused pulls says nothing new; other tests read what agents log."""
    logger = logging.getLogger("agent")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def outcome_of(seed: int) -> Outcome:
    """Runs one seed, for another process to hear of."""
    began = time.process_time()
    fault, entries = "", 0
    try:
        with quiet_agents():
            entries = run_seed(seed).managers.entries
    except AssertionError as error:
        fault = str(error)
    return Outcome(seed, fault, entries, time.process_time() - began)


def outcomes_of(seeds: Sequence[int]) -> list[Outcome]:
    """Runs many, one after another."""
    return [outcome_of(seed) for seed in seeds]


def main(words: list[str]) -> int:
    """The command line."""
    first, last = int(words[0]), int(words[-1])
    if first == last:
        return _replay(first)
    failed = []
    with futures.ProcessPoolExecutor() as pool:
        for outcome in pool.map(outcome_of, range(first, last + 1), chunksize=4):
            if outcome.fault:
                failed.append(outcome.seed)
                sys.stdout.write(f"{outcome.fault}\n")
            else:
                sys.stdout.write(
                    f"seed {outcome.seed}: {outcome.entries} entries, {outcome.seconds:.1f} s\n"
                )
            sys.stdout.flush()
    sys.stdout.write(f"failed: {failed or 'none'}\n")
    return 1 if failed else 0


def _replay(seed: int) -> int:
    try:
        with quiet_agents():
            world = run_seed(seed)
    except AssertionError as error:
        traceback.print_exception(error)
        return 1
    sys.stdout.write(f"seed {seed}: {world.managers.entries} entries\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
