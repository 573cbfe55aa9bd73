"""Tables and details at a width of 100, compared with texts that a person can read.

After a wanted change: `REWRITE_GOLDEN=1 pytest tests/unit/cli/test_golden.py`, and review the
difference of `tests/golden/cli`.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from stackctl.cli.render import changes, details, nodes, services, stacks, tables, tasks
from stackctl.client import views
from tests.view_cases import node, service, task, update

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
NOW = 1_700_000_000.0
WIDTH = 100


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def history() -> list[views.TaskView]:
    """A service through a crash, an update, a lost node and a full cluster."""
    ended: dict[str, Any] = {"is_current": False, "desired_state": "shutdown"}
    return [
        task("shop_web.1", number=2, created_at=NOW - 40, state_at=NOW - 39, revision=2,
             cause="update to revision 2"),
        task("shop_web.1", number=1, created_at=NOW - 7200, state_at=NOW - 41, state="shutdown",
             end_cause="replaced by revision 2", **ended),
        task("shop_web.2", number=3, created_at=NOW - 10, state_at=NOW - 9, node="n3",
             node_id="n3node", cause="node n2 is down"),
        task("shop_web.2", number=2, created_at=NOW - 600, state_at=NOW - 590, state="running",
             node="n2", node_id="n2node", node_state="down", end_cause="node n2 is down", **ended),
        task("shop_web.2", number=1, created_at=NOW - 700, state_at=NOW - 601, state="failed",
             error="task: non-zero exit (137)", exit_code=137, **ended),
        task("shop_web.10", created_at=NOW - 5, state_at=NOW - 5, state="pending", node="",
             node_id="", node_state="", cause="scaled to 10",
             error="no suitable node (insufficient memory on 2 nodes; 1 node not available)"),
        task("shop_web.3", created_at=NOW - 90000, state_at=NOW - 90000,
             image="registry:5000/shop/web:1.0@sha256:0123",
             ports=({"published": 9000, "target": 90, "protocol": "tcp", "mode": "host"},)),
    ]  # fmt: skip


def task_table(*, width: int | None, **options: Any) -> str:
    usual: dict[str, Any] = {"is_resolved": True, "is_cut": True, "is_table": True}
    rows = tasks.task_rows(
        tasks.in_order(history()), lost_at={"n2node": NOW - 11}, now=NOW, **usual | options
    )
    return tables.render_list(rows, tasks.COLUMNS, layout="", width=width)


@pytest.mark.parametrize(
    ("name", "width", "options"),
    [
        ("service-ps", WIDTH, {}),
        ("service-ps-wide", 180, {}),
        ("service-ps-no-terminal", None, {}),
        ("service-ps-no-trunc", None, {"is_cut": False}),
        ("service-ps-no-resolve", None, {"is_resolved": False}),
    ],
)
def test_tasks(name: str, width: int | None, options: dict[str, Any]) -> None:
    check_golden(name, task_table(width=width, **options))


def test_tasks_with_causes() -> None:
    rows = tasks.task_rows(
        tasks.in_order(history()),
        lost_at={},
        now=NOW,
        is_resolved=True,
        is_cut=True,
        is_table=True,
    )
    columns = tasks.COLUMNS_WITH_CAUSE
    check_golden("service-ps-why", tables.render_list(rows, columns, layout="", width=None))


def test_tasks_as_json() -> None:
    rows = tasks.task_rows(
        tasks.in_order(history()),
        lost_at={"n2node": NOW - 11},
        now=NOW,
        is_resolved=True,
        is_cut=True,
        is_table=False,
    )
    check_golden(
        "service-ps-json", tables.render_list(rows, tasks.COLUMNS, layout="json", width=None)
    )


def port(published: int, target: int, protocol: str = "tcp") -> dict[str, Any]:
    return {"published": published, "target": target, "protocol": protocol, "mode": "ingress"}


def test_services() -> None:
    found = [
        service("shop_web", running=2, desired=3, ports=(port(80, 8080), port(443, 8443))),
        service("shop_dns", running=3, desired=3, mode="global", ports=(port(53, 53, "udp"),)),
        service("shop_web10", running=1, desired=4, replicas_per_node_max=2),
        service("shop_web9", running=1, desired=0, removing=True, image="a/b:1@sha256:01"),
    ]
    rows = services.service_rows(services.in_order(found))
    check_golden("service-ls", tables.render_list(rows, services.COLUMNS, layout="", width=WIDTH))


def test_nodes() -> None:
    found = [
        node("worker10", state="down", state_at=NOW - 75, state_message="heartbeat failure"),
        node("worker9", availability="drain"),
        node("manager1", role="manager", manager_status="leader", is_self=True),
        node("manager2", role="manager", manager_status="unreachable", state="unknown"),
    ]
    rows = nodes.node_rows(nodes.in_order(found), now=NOW, is_table=True)
    check_golden("node-ls", tables.render_list(rows, nodes.COLUMNS, layout="", width=WIDTH))


def test_stacks() -> None:
    usual = {"revision": 3, "created_at": 1.0, "updated_at": 2.0}
    found = [
        views.complete_stack({"name": "shop10", "services": 3, "removing": True, **usual}),
        views.complete_stack({"name": "shop9", "services": 1, **usual}),
    ]
    rows = stacks.stack_rows(stacks.in_order(found), is_table=True)
    check_golden("stack-ls", tables.render_list(rows, stacks.COLUMNS, layout="", width=WIDTH))


def test_an_empty_list_is_a_header() -> None:
    check_golden("empty", tables.render_list([], services.COLUMNS, layout="", width=WIDTH))


def test_changes_of_a_deploy() -> None:
    found: list[views.Change] = [
        {"action": "create", "kind": "network", "name": "shop_back", "cause": "new in the file"},
        {"action": "update", "kind": "service", "name": "shop_web", "cause": "replicas changed"},
        {"action": "remove", "kind": "service", "name": "shop_old", "cause": ""},
        {"action": "unchanged", "kind": "service", "name": "shop_db", "cause": ""},
        {"action": "unchanged", "kind": "network", "name": "shop_default", "cause": ""},
    ]
    check_golden("changes", changes.render_changes(found))


def test_a_service_for_people() -> None:
    spec = {
        "name": "shop_web",
        "task": {
            "container": {
                "image": "web:1@sha256:01",
                "command": ["serve", "--port", "80"],
                "environment": ["MODE=fast"],
                "mounts": [{"kind": "volume", "source": "shop_data", "target": "/data"}],
                "configs": [{"name": "shop_nginx", "target": "/etc/nginx.conf"}],
            },
            "reservations": {"nano_cpus": 500_000_000, "memory_bytes": 64 << 20},
            "placement": {"constraints": ["node.labels.disk==ssd"], "replicas_per_node_max": 2},
            "restart": {"condition": "on-failure", "delay_seconds": 5, "attempts_max": 3},
            "networks": [{"network": "shop_default"}],
        },
        "update": {"parallelism": 2, "failure_action": "rollback", "order": "start-first"},
    }
    seen = service(
        "shop_web",
        running=2,
        desired=3,
        labels={"tier": "front", "empty": ""},
        ports=(port(80, 8080),),
        update=update("paused", "update paused due to failure", started_at=NOW),
        created_at=NOW - 60,
        updated_at=NOW,
    )
    detail = views.complete_service_detail({"service": seen, "spec": spec})
    check_golden("service-inspect-pretty", details.render_service(detail))


def test_a_node_for_people() -> None:
    seen = node(
        "worker1",
        state="down",
        state_message="heartbeat failure",
        state_at=NOW,
        created_at=NOW - 60,
        labels={"disk": "ssd"},
        os="linux",
        arch="x86_64",
        reserved_nano_cpus=1_500_000_000,
        reserved_memory_bytes=1_610_612_736,
        tasks_running=4,
    )
    check_golden("node-inspect-pretty", details.render_node(seen))


def test_a_cluster_for_people() -> None:
    managers = [
        node("m1", role="manager", manager_status="leader"),
        node("m2", role="manager", manager_status="unreachable", state="down"),
    ]
    cluster = views.complete_cluster(
        {
            "cluster_id": "c1",
            "manager_id": managers[0]["id"],
            "leader_id": managers[0]["id"],
            "leader": "m1",
            "term": 4,
            "index": 321,
            "managers": [each["id"] for each in managers],
            "addresses": ["192.0.2.1:2477", "192.0.2.2:2477"],
            "version": "0.1.0",
        }
    )
    shown = details.render_cluster(cluster, nodes=[*managers, node("w1")])
    check_golden("cluster-info", shown)
