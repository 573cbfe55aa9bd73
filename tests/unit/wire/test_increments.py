"""What is sent instead of a whole assignment set gives that set."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.model import assignment, specs
from stackctl.wire import agent_protocol, increments

T = TypeVar("T")

WORDS = st.sampled_from(["a", "b", "c", "d", "e"])
SPEC = specs.TaskSpec(container=specs.ContainerSpec(image="app:1"))


def _unique(
    items: st.SearchStrategy[T], key: Callable[[T], object]
) -> st.SearchStrategy[tuple[T, ...]]:
    def in_order(found: list[T]) -> tuple[T, ...]:
        return tuple(sorted(found, key=key))  # type: ignore[arg-type]  # all keys are comparable

    return st.lists(items, max_size=5, unique_by=key).map(in_order)


TASKS = st.builds(
    assignment.TaskAssignment,
    id=WORDS,
    name=WORDS,
    service_id=WORDS,
    service_name=WORDS,
    slot=st.integers(0, 3),
    revision=st.integers(1, 2),
    stack_name=WORDS,
    spec=st.just(SPEC),
    labels=st.dictionaries(WORDS, WORDS, max_size=2),
    may_stop=st.booleans(),
)
NETWORKS = st.builds(
    assignment.NetworkAssignment,
    id=WORDS,
    name=WORDS,
    vni=st.integers(1, 3),
    subnet=WORDS,
    gateway=WORDS,
)
NEIGHBOURS = st.builds(assignment.Neighbour, network_id=WORDS, address=WORDS, data_address=WORDS)
BACKENDS = st.builds(
    assignment.Backend,
    task_id=WORDS,
    task_name=WORDS,
    slot=st.integers(0, 2),
    node_id=WORDS,
    hostname=WORDS,
    address=WORDS,
)
ENDPOINTS = st.builds(
    assignment.EndpointAssignment,
    service_id=WORDS,
    service_name=WORDS,
    network_id=WORDS,
    names=st.tuples(WORDS),
    vip=WORDS,
    backends=st.lists(BACKENDS, max_size=2).map(tuple),
)
INGRESS = st.builds(
    assignment.IngressAssignment,
    service_id=WORDS,
    service_name=WORDS,
    network_id=WORDS,
    published=st.integers(1, 4),
    target=st.integers(1, 2),
    protocol=st.sampled_from(["tcp", "udp"]),
    backends=st.lists(BACKENDS, max_size=2).map(tuple),
)
CONFIGS = st.builds(
    assignment.ConfigAssignment, id=WORDS, name=WORDS, content=st.binary(max_size=3)
)
SECRETS = st.builds(
    assignment.SecretAssignment, id=WORDS, name=WORDS, content=st.none() | st.binary(max_size=3)
)
SETS = st.builds(
    assignment.AssignmentSet,
    node_id=st.just("n"),
    term=st.integers(1, 3),
    index=st.integers(1, 50),
    tasks=_unique(TASKS, increments.task_key),
    networks=_unique(NETWORKS, increments.network_key),
    neighbours=_unique(NEIGHBOURS, increments.neighbour_key),
    endpoints=_unique(ENDPOINTS, increments.endpoint_key),
    ingress=_unique(INGRESS, increments.ingress_key),
    configs=_unique(CONFIGS, increments.config_key),
    secrets=_unique(SECRETS, increments.secret_key),
)


@given(old=SETS, new=SETS)
def test_patching_with_the_difference_gives_the_new_set(
    old: assignment.AssignmentSet, new: assignment.AssignmentSet
) -> None:
    increment = increments.difference(old, new)
    assert increments.patch(old, increment, term=new.term, index=new.index) == new


@given(old=SETS, new=SETS)
def test_the_difference_survives_the_wire(
    old: assignment.AssignmentSet, new: assignment.AssignmentSet
) -> None:
    message = agent_protocol.AssignmentMessage(
        term=new.term, index=new.index, increment=increments.difference(old, new)
    )
    frame = agent_protocol.decode_manager_frame(agent_protocol.encode_frame(message))
    assert frame == message


@given(SETS)
def test_between_equal_sets_there_is_no_difference(one: assignment.AssignmentSet) -> None:
    assert increments.difference(one, one) == agent_protocol.AssignmentIncrement(
        base_index=one.index
    )


@given(old=SETS, new=SETS)
def test_only_what_changed_is_put(
    old: assignment.AssignmentSet, new: assignment.AssignmentSet
) -> None:
    increment = increments.difference(old, new)
    assert all(task not in old.tasks for task in increment.put_tasks)
    assert all(item not in old.endpoints for item in increment.put_endpoints)


def test_an_increment_on_another_set_is_refused() -> None:
    old = assignment.AssignmentSet(node_id="n", term=1, index=5)
    increment = agent_protocol.AssignmentIncrement(base_index=4)
    with pytest.raises(ValueError, match="starts at 4, the set is at 5"):
        increments.patch(old, increment, term=1, index=6)
