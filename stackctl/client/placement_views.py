"""The API's answers about where tasks are and could be, as `views` has all others."""

from collections.abc import Mapping
from typing import TypedDict, cast

from stackctl.client.views import Answer, filled


class NodeVerdict(TypedDict):
    """What the scheduler says of one node for one task."""

    node_id: str
    hostname: str
    verdict: str
    reason: str
    rank: int


class TaskExplanation(TypedDict):
    """Why a task is where it is, or nowhere."""

    task_id: str
    name: str
    state: str
    node: str
    error: str
    cause: str
    nodes: list[NodeVerdict]


class TaskMove(TypedDict):
    """One task that would go to a better node."""

    task_id: str
    name: str
    source: str
    target: str
    reason: str


class RebalanceView(TypedDict):
    """What rebalancing would move, what stays, and the run under way."""

    moves: list[TaskMove]
    staying: dict[str, str]
    is_running: bool
    moved: int
    moving: str
    failure: str
    index: int


# Mutable defaults are shared between answers; nobody changes an answer.
DEFAULTS: Mapping[type, Answer] = {
    NodeVerdict: {"rank": 0},
    TaskExplanation: {"error": "", "cause": "", "nodes": []},
    TaskMove: {},
    RebalanceView: {
        "moves": [],
        "staying": {},
        "is_running": False,
        "moved": 0,
        "moving": "",
        "failure": "",
        "index": 0,
    },
}


def complete_explanation(answer: Answer) -> TaskExplanation:
    """An explanation, its nodes complete."""
    found = cast("TaskExplanation", filled(TaskExplanation, answer, DEFAULTS))
    found["nodes"] = [
        cast("NodeVerdict", filled(NodeVerdict, node, DEFAULTS)) for node in found["nodes"]
    ]
    return found


def complete_rebalance(answer: Answer) -> RebalanceView:
    """What rebalancing would do, its moves complete."""
    found = cast("RebalanceView", filled(RebalanceView, answer, DEFAULTS))
    found["moves"] = [cast("TaskMove", filled(TaskMove, move, DEFAULTS)) for move in found["moves"]]
    return found
