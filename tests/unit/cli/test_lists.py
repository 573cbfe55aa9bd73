"""Lists: what they show, how they are filtered, and what they say of unknown names."""

import io
import json
from typing import Any

import pytest

from stackctl.cli import fast_path
from stackctl.cli.program import run_program
from stackctl.cli.render.terminal import Terminal
from stackctl.cli.session import Session
from stackctl.model import specs
from tests.command_line import Done, Run, service_spec
from tests.fakes.api import FakeApi
from tests.fakes.api_cluster import FakeCluster, Habit

PLAIN = [
    "stack ls",
    "stack ls --format json",
    "stack ls -q",
    "stack ps shop",
    "stack ps --no-trunc --why shop",
    "stack ps -f node=n1 --filter node=n2 shop",
    "stack services shop",
    "stack services nobody",
    "stack configs shop",
    "stack configs nobody",
    "stack secrets -q shop",
    "secret ls",
    "secret ls --format {{.Name}} --filter name=shop_k",
    "service ls",
    "service ls -q --filter name=shop_w",
    "service ls --format {{.Name}}",
    "service ps shop_web",
    "service ps --no-resolve shop_web shop_db",
    "service ps nobody shop_db",
    "service ps -q shop_web",
    "node ls",
    "node ls --format json -f role=worker",
    "node ps",
    "node ps n1 n2",
]


def captured(environment: dict[str, str], command: str, *, is_fast: bool) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    session = Session(environment=environment, terminal=Terminal(out, errors, environment))
    run = fast_path.run_if_plain if is_fast else run_program
    code = run(session, command.split())
    assert code is not None, "this is no command line for the fast path"
    return code, out.getvalue(), errors.getvalue()


def json_rows(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("command", PLAIN)
def test_the_fast_path_prints_what_typer_prints(
    shop: FakeCluster, environment: dict[str, str], command: str
) -> None:
    fast = captured(environment, command, is_fast=True)
    assert fast == captured(environment, command, is_fast=False)
    assert fast[1] or fast[2]


@pytest.mark.parametrize(
    "command",
    [
        "service",
        "service ps",
        "service ps --help",
        "service ps --unknown web",
        "service ps --format=json web",
        "service ps web --filter",
        "service ls surplus",
        "service inspect web",
        "--debug service ls",
        "-H",
        "deploy -c x y",
        "",
    ],
)
def test_anything_unusual_is_left_to_typer(command: str) -> None:
    assert fast_path.parse(command.split()) is None


def test_the_fast_path_understands_options_before_the_command() -> None:
    plain = fast_path.parse(
        ["-H", "/a.sock", "--endpoint", "/b.sock", "--context", "lab", "node", "ls"]
    )
    assert plain is not None
    assert plain.choice.endpoints == ("/a.sock", "/b.sock")
    assert plain.choice.context == "lab"


def test_service_ls_has_swarms_columns(shop: FakeCluster, run: Run) -> None:
    done = run("service", "ls")
    assert done.out.splitlines() == [
        "ID             NAME       MODE         REPLICAS   IMAGE     PORTS",
        "002svc000000   shop_db    replicated   1/1        db:1",
        "001svc000000   shop_web   replicated   2/2        web:1     *:8080->80/tcp",
    ]


def test_json_is_an_object_a_line_with_swarms_keys(shop: FakeCluster, run: Run) -> None:
    rows = json_rows(run("service", "ps", "shop_web", "--format", "json"))
    swarms = {"CurrentState", "DesiredState", "Error", "ID", "Image", "Name", "Node", "Ports"}
    assert [row["Name"] for row in rows] == ["shop_web.1", "shop_web.2"]
    assert all(swarms <= row.keys() for row in rows)
    nodes = json_rows(run("node", "ls", "--format", "json"))
    assert [node["Self"] for node in nodes] == [True, False, False]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["name=shop_web"], ["shop_web.1", "shop_web.2"]),
        (["name=shop_web.2", "name=shop_db"], ["shop_db.1", "shop_web.2"]),
        (["name=shop_web", "node=n2"], ["shop_web.2"]),
        (["service=shop_db"], ["shop_db.1"]),
        (["desired-state=running"], ["shop_db.1", "shop_web.1", "shop_web.2"]),
        (["state=failed"], []),
        (["id=001task"], ["shop_web.1"]),
    ],
)
def test_values_of_a_filter_add_and_filters_narrow(
    shop: FakeCluster, run: Run, filters: list[str], names: list[str]
) -> None:
    words = [word for text in filters for word in ("--filter", text)]
    done = run("stack", "ps", "shop", "--format", "{{.Name}}", *words)
    assert done.out.split() == names


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("label=tier", ["shop_web"]),
        ("label=tier=front", ["shop_web"]),
        ("label=tier=back", []),
        ("mode=replicated", ["shop_db", "shop_web"]),
        ("name=shop_d", ["shop_db"]),
    ],
)
def test_services_are_filtered_by_label_mode_and_name(
    shop: FakeCluster, run: Run, filters: str, names: list[str]
) -> None:
    assert run("service", "ls", "-f", filters, "--format", "{{.Name}}").out.split() == names


@pytest.mark.parametrize("text", ["colour=red", "name"])
def test_an_unknown_filter_is_refused_with_those_there_are(
    shop: FakeCluster, run: Run, text: str
) -> None:
    done = run("service", "ls", "--filter", text)
    assert done.code == 2
    assert "keys: id, label, mode, name, stack" in done.err


def test_unknown_names_are_said_after_the_known_ones_are_shown(shop: FakeCluster, run: Run) -> None:
    done = run("service", "ps", "shop_wbe", "shop_db", "nobody")
    assert done.code == 1
    assert "shop_db.1" in done.out
    assert done.err == (
        "stackctl: no such service: shop_wbe\nhint: did you mean shop_web or shop_db?\n"
        "stackctl: no such service: nobody\n"
    )


def test_only_unknown_names_print_no_table(shop: FakeCluster, run: Run) -> None:
    done = run("service", "ps", "nobody")
    assert (done.code, done.out) == (1, "")


def test_an_unknown_stack_has_swarms_exit_codes(shop: FakeCluster, run: Run) -> None:
    tasks, services = run("stack", "ps", "shpo"), run("stack", "services", "shpo")
    assert (tasks.code, services.code) == (1, 0)
    message = "stackctl: nothing found in stack: shpo\nhint: did you mean shop?\n"
    assert (tasks.err, services.err) == (message, message)


def test_history_is_marked_in_the_table_only(shop: FakeCluster, run: Run) -> None:
    services = (service_spec("shop_db", image="db:2", replicas=1),)
    shop.put_stack(specs.StackSpec(name="shop", services=services), prune=False)
    shop.settle()
    table = run("service", "ps", "shop_db").out.splitlines()
    assert " \\_ shop_db.1" in table[2]
    assert "(replaced)" in table[2]
    plain = run("service", "ps", "shop_db", "--format", "{{.Name}}").out
    assert plain == "shop_db.1\nshop_db.1\n"


def test_tasks_on_a_lost_node_are_unknown_since_it_was_lost(shop: FakeCluster, run: Run) -> None:
    shop.lose_node("n2")
    shop.settle()
    rows = json_rows(run("stack", "ps", "shop", "--format", "json"))
    (lost,) = [row for row in rows if row["Node"] == "n2"]
    assert lost["CurrentState"] == "Unknown less than a second ago"
    assert lost["Error"] == "node n2 is down"
    assert "Down less than a second ago" in run("node", "ls").out


def test_nodes_are_asked_for_only_when_a_node_is_lost(
    shop: FakeCluster, fake_api: FakeApi, run: Run
) -> None:
    run("service", "ps", "shop_web")
    assert fake_api.requests == ["GET /v1/tasks?service=shop_web"]


def test_errors_are_whole_where_there_is_no_terminal(cluster: FakeCluster, run: Run) -> None:
    words = "no suitable node (scheduling constraints not satisfied on 3 nodes)"
    cluster.habits["shop_web"] = Habit("waits", words)
    services = (service_spec("shop_web"),)
    cluster.put_stack(specs.StackSpec(name="shop", services=services), prune=False)
    cluster.settle()
    assert f'"{words}"' in run("service", "ps", "shop_web").out


def test_an_unknown_field_of_a_template_is_refused_even_without_rows(run: Run) -> None:
    done = run("service", "ls", "--format", "{{.Nope}}")
    assert done.code == 2
    assert "there is no field .Nope" in done.err
    assert "Replicas" in done.err


def test_a_table_template_has_headers(shop: FakeCluster, run: Run) -> None:
    done = run("stack", "ps", "shop", "--format", "table {{.Name}}\\t{{.DesiredState}}")
    assert done.out.splitlines()[:2] == ["NAME         DESIRED STATE", "shop_db.1    Running"]


def test_quiet_lists_print_ids(shop: FakeCluster, run: Run) -> None:
    assert run("service", "ls", "-q").out == "002svc000000\n001svc000000\n"
    assert len(run("node", "ls", "-q").out.splitlines()[0]) == 25
    assert run("stack", "ls", "-q").out == "shop\n"
