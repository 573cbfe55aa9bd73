"""A snapshot is the state; what is damaged is said to be, never half read."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.model import objects
from stackctl.state import snapshot
from stackctl.state.cluster import ClusterState, Draft
from tests.sim.machinery import FaultyMachinery
from tests.sim.operators import Operators
from tests.sim.world import World


def _lived_in(seed: int) -> ClusterState:
    """The state of a cluster with a past."""
    source = random.Random(seed)  # noqa: S311 - the same past each time
    world = World(FaultyMachinery(source))
    for number in range(3):
        world.add_node(f"n{number}", images=("app:1", "app:2"))
    operators = Operators(world, source)
    for _ in range(12):
        operators.act()
        world.advance(2)
    return world.state


STATES = [_lived_in(seed) for seed in (1, 2, 3)]
CHUNKS = list(snapshot.encode_state(STATES[0]))


@pytest.mark.parametrize("state", STATES, ids=["1", "2", "3"])
def test_a_state_with_a_past_comes_back_whole(state: ClusterState) -> None:
    assert len(state.tasks) > 3
    assert snapshot.decode_state(list(snapshot.encode_state(state))) == state


def test_an_empty_state_comes_back() -> None:
    assert snapshot.decode_state(snapshot.encode_state(ClusterState())) == ClusterState()


def test_many_objects_are_many_small_chunks() -> None:
    draft = Draft(ClusterState(), index=1, term=1)
    for number in range(1201):
        draft.put_node(
            objects.Node(
                id=f"n{number}",
                role=objects.NodeRole.WORKER,
                description=objects.NodeDescription(hostname="h", nano_cpus=1, memory_bytes=1),
            )
        )
    state = draft.finish()
    chunks = list(snapshot.encode_state(state))
    assert len(chunks) == 1 + 3
    assert snapshot.decode_state(chunks) == state


def test_versions_of_objects_come_back_as_they_were() -> None:
    state = STATES[0]
    restored = snapshot.decode_state(CHUNKS)
    assert {item.version for item in restored.tasks.values()} == {
        item.version for item in state.tasks.values()
    }


def test_nothing_is_not_a_snapshot() -> None:
    with pytest.raises(snapshot.DamagedSnapshot, match="without a header"):
        snapshot.decode_state([])


def test_another_format_is_named() -> None:
    header = msgspec.msgpack.decode(CHUNKS[0])
    header["format_version"] = 99
    with pytest.raises(snapshot.DamagedSnapshot, match="format 99"):
        snapshot.decode_state([msgspec.msgpack.encode(header), *CHUNKS[1:]])


def test_an_unknown_kind_of_object_is_damage() -> None:
    chunk = msgspec.msgpack.encode({"kind": "moons", "objects": []})
    with pytest.raises(snapshot.DamagedSnapshot):
        snapshot.decode_state([CHUNKS[0], chunk])


@settings(max_examples=60, deadline=None)
@given(
    number=st.integers(0, len(CHUNKS) - 1),
    position=st.integers(0, 10_000),
    replacement=st.binary(max_size=4),
)
def test_damaged_bytes_are_damage_or_a_state(
    number: int, position: int, replacement: bytes
) -> None:
    chunks = list(CHUNKS)
    at = position % len(chunks[number])
    chunks[number] = chunks[number][:at] + replacement + chunks[number][at + len(replacement) :]
    try:
        snapshot.decode_state(chunks)
    except snapshot.DamagedSnapshot:
        return
