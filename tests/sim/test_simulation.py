"""A few seeds of the simulation; `python -m tests.sim.run FIRST LAST` runs as many as one likes."""

import pytest

from tests.sim import run
from tests.sim.machinery import Machinery
from tests.sim.managers import BrokenInvariant
from tests.sim.world import World

SEEDS = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_disturbed_cluster_keeps_its_invariants_and_recovers(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", logger="agent")  # thousands of refused pulls say nothing new
    run.run_seed(seed)


def test_a_seed_gives_the_same_run_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="agent")
    first, second = run.Simulation(3), run.Simulation(3)
    for simulation in (first, second):
        simulation.disturb(30)
    assert first.world.state == second.world.state
    assert first.world.managers.entries == second.world.managers.entries


def test_rounds_that_call_for_each_other_are_found() -> None:
    world = World(FastMachinery())
    with pytest.raises(BrokenInvariant, match="rounds within one second"):
        _change_leaders(world, times=1000)


def _change_leaders(world: World, *, times: int) -> None:
    for _ in range(times):
        world.managers.change_leader()  # each new leader begins with a round
        world.advance(0.001)


class FastMachinery(Machinery):
    """Decides without delay."""

    def decision_seconds(self) -> float:
        return 0.0
