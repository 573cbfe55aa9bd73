"""A thousand seeds of the simulation, in shards; one that fails names the command to replay it."""

import logging

import pytest

from tests.sim import run
from tests.sim.conftest import SEEDS, SHARDS, Shards
from tests.sim.machinery import Machinery
from tests.sim.managers import BrokenInvariant
from tests.sim.world import World


@pytest.mark.timeout(900)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_disturbed_clusters_keep_their_invariants_and_recover(shard: int, shards: Shards) -> None:
    outcomes = shards[shard].result()
    assert len(outcomes) == SEEDS // SHARDS
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    assert not faults, "\n".join(faults)


class Broken(run.Simulation):
    """A run in which something goes wrong."""

    def run(self) -> None:
        raise BrokenInvariant("two tasks have one address")


def test_a_failing_seed_names_the_command_that_replays_it() -> None:
    with pytest.raises(AssertionError, match=r"SEED=77`: two tasks have one address") as failed:
        run.run_seed(77, kind=Broken)
    assert "`make replay SEED=77`" in str(failed.value)


def test_one_seed_is_replayed_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["3"]) == 0
    assert capsys.readouterr().out.startswith("seed 3: ")


def test_a_replay_leaves_the_log_of_agents_as_it_was() -> None:
    level = logging.getLogger("agent").level
    run.main(["3"])
    run.outcome_of(3)
    assert logging.getLogger("agent").level == level


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
