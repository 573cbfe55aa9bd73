"""One seeded run: random operators and faults, then calm, then what was asked must be so.

    python -m tests.sim.run SEED          replays one run
    python -m tests.sim.run FIRST LAST    many

Faults: reports and acknowledgements lost, doubled and late; nodes dying, cut off and returning;
agents restarting or gone; machines replaced by new ones; leaders changing while rounds are under
way; entries of others between those of a round; clocks of managers that are wrong by seconds.
`stackctl.state.invariants` hold after every entry (`managers`), and at the end the cluster
converges (`convergence`).
"""

import logging
import random
import sys
import time
import traceback
from collections.abc import Callable

from stackctl.model.objects import Availability, NodeRole
from stackctl.state import commands
from tests.sim.convergence import check_asked, check_gone, check_settled
from tests.sim.machinery import FaultyMachinery
from tests.sim.operators import IMAGES, STACKS, Operators
from tests.sim.world import NANO, World

NODES = 4
FAULTY_SECONDS = 80.0
SETTLE_SECONDS = 100.0  # back-offs, delays, grace periods and updates one slot after another


class Simulation:
    """One run of one seed."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311 - a seed must replay
        self.machinery = FaultyMachinery(self._source)
        self.world = World(self.machinery)
        self._operators = Operators(self.world, self._source)
        for number in range(1, NODES + 1):
            self.world.add_node(
                f"n{number}",
                role=NodeRole.MANAGER if number == 1 else NodeRole.WORKER,
                nano_cpus=self._source.choice((1, 2, 4)) * NANO,
                images=self._source.choice((IMAGES, IMAGES[:2])),
            )

    def run(self) -> None:
        """Everything, in order. Raises AssertionError."""
        self.disturb(FAULTY_SECONDS)
        self._calm_down()
        self.world.advance(SETTLE_SECONDS)
        check_settled(self.world)
        asked = self._operators_deploy_well()
        self.world.advance(SETTLE_SECONDS)
        check_asked(self.world, asked)
        for name in STACKS:
            self.world.submit(commands.RemoveStack(name=name, now=self.world.managers.now()))
        self.world.advance(60)
        check_gone(self.world)

    def disturb(self, seconds: float) -> None:
        """Operators and faults for that long."""
        end = self.world.timeline.now + seconds
        while self.world.timeline.now < end:
            self._disturb()
            self.world.advance(self._source.expovariate(1 / 1.5))

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

    def _replace_machine(self) -> None:
        node = self.world.nodes[self._node()]
        if self.world.state.nodes[node.id].role == NodeRole.WORKER:
            self.world.replace(node)

    def _calm_down(self) -> None:
        """Faults end: everything has power, a link, and a session that begins anew."""
        self.machinery.is_calm = True
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


def run_seed(seed: int) -> World:
    """Runs one seed; an AssertionError names it."""
    simulation = Simulation(seed)
    try:
        simulation.run()
    except Exception as error:
        time_passed = simulation.world.timeline.now - simulation.world.timeline.start
        raise AssertionError(
            f"seed {seed} failed at {time_passed:.2f} s of its time; replay it with"
            f" `python -m tests.sim.run {seed}`: {error}"
        ) from error
    return simulation.world


def main(words: list[str]) -> int:
    """The command line."""
    logging.getLogger("agent").setLevel(logging.CRITICAL)
    first, last = int(words[0]), int(words[-1])
    failed = []
    for seed in range(first, last + 1):
        began = time.perf_counter()
        try:
            world = run_seed(seed)
        except AssertionError as error:
            failed.append(seed)
            sys.stdout.write(f"{error}\n")
            if first == last:
                traceback.print_exception(error)
        else:
            seconds = time.perf_counter() - began
            sys.stdout.write(f"seed {seed}: {world.managers.entries} entries, {seconds:.1f} s\n")
    sys.stdout.write(f"failed: {failed or 'none'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
