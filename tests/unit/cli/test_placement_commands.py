"""`service explain` and `rebalance`: what the scheduler says, and what it moves."""

import json

import pytest

from stackctl.wire import api
from tests.command_line import Run
from tests.fakes.api import FakeApi
from tests.fakes.api_cluster import FakeCluster

MOVES = [
    api.TaskMove(task_id="t1", name="shop_web.2", source="n1", target="n3", reason="n3 is empty"),
    api.TaskMove(task_id="t2", name="shop_db.1", source="n2", target="n3", reason="n3 has less"),
]


@pytest.fixture
def moving(shop: FakeCluster) -> FakeCluster:
    """A cluster in which two tasks would be better off elsewhere."""
    shop.rebalancing.moves = list(MOVES)
    shop.rebalancing.staying = {"shop_cache": "its data is on its nodes"}
    return shop


def test_a_task_is_explained_one_line_a_node(shop: FakeCluster, run: Run) -> None:
    done = run("service", "explain", "shop_web.1")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("shop_web.1 (")
    assert "is running on n1" in lines[0]
    header = next(number for number, line in enumerate(lines) if line.startswith("NODE"))
    assert lines[header].split() == ["NODE", "VERDICT", "RANK", "REASON"]
    rows = {line.split()[0]: line.split(maxsplit=3)[1:] for line in lines[header + 1 :]}
    assert rows == {
        "n1": ["here", "1", "0 tasks of the service, 0 in all"],
        "n2": ["refused", "-", "full"],
        "n3": ["refused", "-", "full"],
    }


def test_an_explanation_fits_scripts(shop: FakeCluster, run: Run) -> None:
    done = run("service", "explain", "--format", "{{.Node}}={{.Verdict}}", "shop_web.1")
    assert done.out.splitlines() == ["n1=here", "n2=refused", "n3=refused"]


def test_an_unknown_task_has_near_names(shop: FakeCluster, run: Run) -> None:
    done = run("service", "explain", "shop_wbe.1")
    assert done.code == 1
    assert "no such task: shop_wbe.1" in done.err
    assert "shop_web.1" in done.err


def test_a_plan_moves_nothing(moving: FakeCluster, fake_api: FakeApi, run: Run) -> None:
    done = run("rebalance", "--plan")
    assert done.code == 0, done.err
    assert [line.split(maxsplit=3) for line in done.out.splitlines()] == [
        ["TASK", "FROM", "TO", "REASON"],
        ["shop_web.2", "n1", "n3", "n3 is empty"],
        ["shop_db.1", "n2", "n3", "n3 has less"],
    ]
    assert done.err == "shop_cache stays: its data is on its nodes\n"
    assert fake_api.requests == ["POST /v1/rebalance/plan"]


def test_a_plan_without_moves_says_so(shop: FakeCluster, run: Run) -> None:
    assert run("rebalance", "--plan").out == "nothing to move\n"


def test_rebalancing_waits_until_the_last_task_has_come(moving: FakeCluster, run: Run) -> None:
    done = run("rebalance")
    assert done.code == 0, done.err
    assert done.out == "moved 2 tasks\n"
    assert done.err == "shop_web.2 moves\nshop_db.1 moves\n"


def test_flags_say_what_may_move(moving: FakeCluster, fake_api: FakeApi, run: Run) -> None:
    done = run("rebalance", "--detach", "--stateful", "--max", "1", "shop_web")
    assert (done.code, done.out) == (0, "")
    assert json.loads(fake_api.bodies[-1]) == {
        "services": ["shop_web"],
        "allows_stateful": True,
        "moves_max": 1,
    }


def test_a_task_that_does_not_come_up_is_exit_code_4(moving: FakeCluster, run: Run) -> None:
    moving.rebalancing.failure = "shop_web.2 did not come up on n3: boom"
    done = run("rebalance", "-q")
    assert (done.code, done.out) == (4, "moved 0 tasks\n")
    assert done.err == "shop_web.2 did not come up on n3: boom\n"


def test_a_second_rebalancing_is_refused_and_the_first_can_be_stopped(
    moving: FakeCluster, run: Run
) -> None:
    run("rebalance", "--detach")
    assert run("rebalance").code == 1
    assert run("rebalance", "--stop").out == "stopped; shop_web.2 arrives\n"
