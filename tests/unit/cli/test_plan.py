"""`plan` and `deploy --dry-run`: what people and scripts read of a plan."""

from pathlib import Path
from typing import Any

import pytest

from stackctl.cli.render.plan import render_plan
from stackctl.cli.render.stacks import revision_rows
from stackctl.client import views


def plan(*services: dict[str, Any], **fields: Any) -> views.PlanView:
    changes = [
        {"action": service["action"], "kind": "service", "name": service["name"], "cause": "why"}
        for service in services
    ]
    usual = {"name": "shop", "revision": 2, "changes": changes, "services": list(services)}
    return views.complete_plan(usual | fields)


def rendered(view: views.PlanView) -> list[str]:
    return render_plan(view, paint=lambda text, _colour: text).splitlines()


def updated(**fields: Any) -> dict[str, Any]:
    usual = {
        "name": "shop_web",
        "action": "update",
        "running_before": 2,
        "running_lowest": 1,
        "running_after": 2,
        "tasks_started": 2,
        "tasks_stopped": 2,
        "nodes": {"n1": 1, "n2": 1},
    }
    return usual | fields


def test_a_field_is_shown_with_both_values() -> None:
    fields = [{"path": "replicas", "before": "2", "after": ""}]
    assert '    replicas: 2 -> ""' in rendered(plan(updated(fields=fields)))


def test_the_tasks_that_change_are_counted_and_placed() -> None:
    assert rendered(plan(updated()))[:2] == [
        "~ service shop_web (why)",
        "    tasks: 2 replaced; then 1 on n1, 1 on n2",
    ]


def test_tasks_that_are_told_by_a_signal_are_not_said_to_be_only_kept() -> None:
    service = updated(tasks_started=0, tasks_stopped=0, tasks_kept=3, tasks_told=2)
    assert "    tasks: 2 told by a signal, 1 kept; then 1 on n1, 1 on n2" in rendered(plan(service))


def test_a_plan_of_a_manager_that_does_not_count_who_is_told_is_shown() -> None:
    service = updated(tasks_started=0, tasks_stopped=0, tasks_kept=2)
    assert "    tasks: 2 kept; then 1 on n1, 1 on n2" in rendered(plan(service))


@pytest.mark.parametrize(
    ("lowest", "said"),
    [
        (0, "downtime: from the stop of its last old task to the start of its first new one"),
        (1, "no downtime: at least 1 of 2 tasks run all the while"),
        (2, "no downtime: each task stops after its successor runs"),
    ],
)
def test_downtime_is_said_in_words(lowest: int, said: str) -> None:
    assert f"    {said}" in rendered(plan(updated(running_lowest=lowest)))


def test_moves_and_waiting_tasks_are_named() -> None:
    service = updated(
        moves=[{"slot": 2, "from_node": "n1", "to_node": "n3"}], waiting=["1 task: no room"]
    )
    lines = rendered(plan(service))
    assert "    slot 2 moves from n1 to n3" in lines
    assert "    ! 1 task: no room" in lines


def test_what_a_lost_node_takes_is_listed() -> None:
    losses = [
        {"node": "n1", "gone": ["shop_db"], "interrupted": ["shop_web"]},
        {"node": "node2"},
    ]
    assert rendered(plan(updated(), losses=losses))[-3:] == [
        "If a node is lost afterwards:",
        "  n1     shop_db gone until it returns; shop_web interrupted until started elsewhere",
        "  node2  everything goes on",
    ]


def test_without_changes_there_is_one_line() -> None:
    assert rendered(plan(updated(action="unchanged"))) == ["Nothing to change"]


def test_an_unknown_format_is_refused(run: Any, tmp_path: Path) -> None:
    done = run("plan", "--format", "xml", "shop")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "stackctl: 'xml' is no format of a plan",
    )


def test_revisions_are_listed_newest_first_with_a_star_at_the_present_one() -> None:
    revisions = [
        views.complete_stack_revision(
            {
                "number": number,
                "at": 0,
                "cause": "deployed",
                "is_current": number == 2,
                "services": {"shop_web": f"web:{number}"},
            }
        )
        for number in (2, 1)
    ]
    rows = revision_rows(revisions, now=60, is_table=True)
    assert [row["Revision"] for row in rows] == ["2 *", "1"]
    assert rows[0]["Services"] == "shop_web=web:2"
    assert rows[0]["CreatedAt"] == "about a minute ago"
