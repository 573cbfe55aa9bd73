"""What an observation of a node means, in one word."""

import msgspec
import pytest

from stackctl.lab import status
from stackctl.lab.plan import LabPlan
from stackctl.lab.status import Observation
from tests.unit.lab.plans import make_plan

HEALTHY = Observation(
    process_ids={"engine": 1, "manager": 2, "agent": 3},
    is_powered=True,
    is_frozen=False,
    is_link_up=True,
    engine_answers=True,
)


@pytest.fixture
def plan() -> LabPlan:
    return make_plan()


@pytest.mark.parametrize(
    ("changes", "state", "detail"),
    [
        ({}, "running", ""),
        ({"is_link_up": False}, "cut", ""),
        ({"is_frozen": True, "is_link_up": False, "engine_answers": False}, "paused", ""),
        ({"process_ids": {}, "is_powered": False, "engine_answers": False}, "stopped", ""),
        ({"process_ids": {"engine": 1, "agent": 3}}, "degraded", "manager not running"),
        ({"engine_answers": False}, "degraded", "its engine does not answer"),
        ({"is_powered": False}, "degraded", "its network is gone"),
        (
            {"process_ids": {"manager": 2}, "is_link_up": False},
            "degraded",
            "engine, agent not running; cut",
        ),
    ],
)
def test_a_state_is_told_from_what_is_seen(
    plan: LabPlan, changes: dict[str, object], state: str, detail: str
) -> None:
    seen = msgspec.structs.replace(HEALTHY, **changes)
    row = status.describe(plan, plan.nodes[0], seen)
    assert (row.state, row.detail) == (state, detail)


def test_the_table_has_a_line_per_node_and_says_what_a_degraded_one_lacks(plan: LabPlan) -> None:
    lame = msgspec.structs.replace(HEALTHY, process_ids={"engine": 1, "manager": 2})
    rows = [
        status.describe(plan, node, seen)
        for node, seen in zip(plan.nodes[:2], (lame, HEALTHY), strict=True)
    ]
    folder = "unix:///var/lib/stackctl/lab/nodes"
    assert status.table_cells(rows) == [
        ("NAME", "ROLE", "ADDRESS", "STATE", "ENGINE"),
        (
            *("manager1", "manager", "10.231.0.11", "degraded (agent not running)"),
            f"{folder}/manager1/docker.sock",
        ),
        ("worker1", "worker", "10.231.0.12", "running", f"{folder}/worker1/docker.sock"),
    ]
