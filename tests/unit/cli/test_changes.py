"""Commands that change something: scale, roll back, remove, update nodes."""

import json
from pathlib import Path

import pytest

from stackctl.model import specs
from tests.command_line import Run, service_spec
from tests.fakes.api import FakeApi
from tests.fakes.api_cluster import FakeCluster, Habit


def test_scaling_several_services_waits_for_all(shop: FakeCluster, run: Run) -> None:
    done = run("service", "scale", "shop_web=3", "shop_db=2")
    assert done.code == 0, done.err
    assert done.out == "shop_web scaled to 3\nshop_db scaled to 2\n"
    assert done.err.splitlines()[-1] == "Running: 2 services, 5 tasks"


def test_scaling_down_waits_too(shop: FakeCluster, run: Run) -> None:
    assert run("service", "scale", "shop_web=0").err.splitlines()[-1] == (
        "Running: 1 service, 0 tasks"
    )


@pytest.mark.parametrize("text", ["shop_web", "shop_web=", "=3", "shop_web=-1", "shop_web=two"])
def test_a_scale_that_is_none_changes_nothing(
    shop: FakeCluster, fake_api: FakeApi, run: Run, text: str
) -> None:
    done = run("service", "scale", "shop_db=2", text)
    assert done.code == 2
    assert "SERVICE=REPLICAS" in done.err
    assert fake_api.requests == []


def test_scaling_an_unknown_service_changes_nothing(shop: FakeCluster, run: Run) -> None:
    done = run("service", "scale", "shop_web=5", "nobody=2")
    assert (done.code, done.err) == (1, "stackctl: no such service: nobody\n")
    assert shop.services["shop_web"].spec.replicas == 2


def test_a_rollback_that_was_asked_for_is_a_success(shop: FakeCluster, run: Run) -> None:
    services = (service_spec("shop_web", image="web:2"),)
    shop.put_stack(specs.StackSpec(name="shop", services=services), prune=False)
    shop.settle()
    done = run("service", "rollback", "shop_web")
    assert done.code == 0, done.err
    assert done.out == "shop_web\n"
    assert "shop_web 1/2 (rolling back) starting 1" in done.err
    assert shop.services["shop_web"].spec.task.container.image == "web:1"


def test_a_rollback_to_nothing_is_refused(shop: FakeCluster, run: Run) -> None:
    done = run("service", "rollback", "shop_web")
    assert done.code == 1
    assert done.err == "stackctl: service shop_web does not have a previous spec\n"


def test_a_removed_stack_is_awaited_until_it_is_gone(shop: FakeCluster, run: Run) -> None:
    done = run("stack", "rm", "shop")
    assert done.code == 0, done.err
    assert done.out == (
        "Removing network shop_default\nRemoving service shop_db\nRemoving service shop_web\n"
    )
    assert "stack shop: 3 tasks left" in done.err.splitlines()
    assert shop.stacks == {}


@pytest.mark.parametrize("verb", ["remove", "down"])
def test_stacks_are_removed_under_swarms_names_too(shop: FakeCluster, run: Run, verb: str) -> None:
    assert run("stack", verb, "-d", "shop").code == 0
    assert shop.stacks["shop"].removing


def test_removing_a_stack_that_is_not_there_is_only_remarked_upon(
    shop: FakeCluster, run: Run
) -> None:
    done = run("stack", "rm", "shpo")
    assert done.code == 0
    assert done.err == "stackctl: nothing found in stack: shpo\nhint: did you mean shop?\n"


def test_a_removed_service_is_awaited_until_it_is_gone(shop: FakeCluster, run: Run) -> None:
    done = run("service", "rm", "shop_db", "nobody")
    assert done.code == 1
    assert done.out == "shop_db\n"
    assert done.err.splitlines()[-1] == "stackctl: no such service: nobody"
    assert list(shop.services) == ["shop_web"]


def test_a_node_is_drained_and_labelled(shop: FakeCluster, run: Run) -> None:
    words = ["--availability", "drain", "--label-add", "disk=ssd", "--label-add", "bare"]
    done = run("node", "update", *words, "n2")
    assert (done.code, done.out) == (0, "n2\n"), done.err
    assert shop.nodes["n2"].availability == "drain"
    assert shop.nodes["n2"].labels == {"disk": "ssd", "bare": ""}
    assert run("node", "update", "--label-rm", "disk", "n2").code == 0
    assert shop.nodes["n2"].labels == {"bare": ""}


def test_a_drain_is_waited_for_until_the_node_is_empty(shop: FakeCluster, run: Run) -> None:
    done = run("node", "update", "--availability", "drain", "n1")
    assert done.code == 0, done.err
    assert done.err.splitlines() == [
        "shop_db: 1 of 1 left",
        "shop_web: 1 of 1 left",
        "shop_db: gone",
        "shop_web: gone",
        "Node n1 is empty",
    ]
    assert all(task.node != "n1" for task in shop.tasks if task.is_current)


def test_a_drain_is_quiet_or_detached_when_asked(shop: FakeCluster, run: Run) -> None:
    done = run("node", "update", "-q", "--availability", "drain", "n1")
    assert (done.code, done.err) == (0, "")
    done = run("node", "update", "--detach", "--availability", "drain", "n2")
    assert (done.code, done.err) == (0, "")
    assert any(task.node == "n2" and task.is_current for task in shop.tasks)


def test_a_drain_that_cannot_end_says_what_cannot_move_and_why(shop: FakeCluster, run: Run) -> None:
    shop.habits["shop_db"] = Habit("waits", error="no suitable node (its data is on n1)")
    done = run("node", "update", "--availability", "drain", "n1", "--timeout", "1")
    assert done.code == 4
    assert "shop_db.1 cannot run elsewhere: no suitable node (its data is on n1)" in done.err
    assert "'stackctl node ps n1' shows what is left" in done.err


def test_removing_a_label_that_is_not_there_is_an_error(shop: FakeCluster, run: Run) -> None:
    done = run("node", "update", "--label-rm", "disk", "n2")
    assert (done.code, done.err) == (2, "stackctl: node n2 has no label disk\n")


def test_an_update_of_nothing_is_refused(run: Run) -> None:
    done = run("node", "update", "n2")
    assert done.code == 2
    assert "--availability" in done.err


def test_only_nodes_that_are_down_are_removed_without_force(shop: FakeCluster, run: Run) -> None:
    shop.lose_node("n3")
    done = run("node", "rm", "n3", "n2")
    assert done.code == 1
    assert done.out == "n3\n"
    assert "node n2 is not down" in done.err
    assert run("node", "rm", "--force", "n2").out == "n2\n"


def test_inspecting_prints_the_answer_whole(shop: FakeCluster, run: Run) -> None:
    (detail,) = json.loads(run("service", "inspect", "shop_web").out)
    assert detail["service"]["name"] == "shop_web"
    assert detail["spec"]["task"]["container"]["image"] == "web:1"
    text = "{{.service.name}} {{json .spec.labels}}"
    template = run("service", "inspect", "--format", text, "shop_web")
    assert template.out == 'shop_web {"tier": "front"}\n'
    (node,) = json.loads(run("node", "inspect").out)
    assert node["hostname"] == "n1"


def test_inspecting_names_the_unknown(shop: FakeCluster, run: Run) -> None:
    done = run("node", "inspect", "--pretty", "n2", "n9")
    assert done.code == 1
    assert "Hostname:" in done.out
    assert done.err.startswith("stackctl: no such node: n9\n")


def test_a_cluster_is_inspected_without_its_tokens(run: Run) -> None:
    assert "SCTKN" not in run("cluster", "inspect").out
    assert "SCTKN" not in run("cluster", "info").out
    assert run("cluster", "inspect", "--format", "{{.leader}}").out == "n1\n"


def test_a_join_token_comes_with_the_command(run: Run) -> None:
    assert run("join-token", "-q", "worker").out == "SCTKN-1-worker\n"
    whole = run("join-token", "manager").out
    assert "stackctl-manager --advertise-address ADDRESS --join-token SCTKN-1-manager" in whole
    assert "--join 192.0.2.1:2477" in whole


def test_contexts_are_listed_used_and_shown(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["STACKCTL_ENDPOINT"]
    folder = tmp_path / "config"
    folder.mkdir()
    contexts = {"lab": {"endpoints": ["unix:///l.sock"]}, "home": {"endpoints": ["unix:///h.sock"]}}
    (folder / "contexts.json").write_text(json.dumps({"current": "lab", "contexts": contexts}))
    assert run("context", "ls").out.splitlines() == [
        "NAME      ENDPOINTS",
        "home      unix:///h.sock",
        "lab *     unix:///l.sock",
    ]
    assert run("context", "use", "home").out == "home\n"
    assert run("context", "show").out == "the current context home: unix:///h.sock\n"
    assert run("--context", "lab", "context", "show").out == "--context lab: unix:///l.sock\n"
    done = run("context", "use", "hom")
    assert done.code == 2
    assert done.err == "stackctl: no such context: hom\nhint: did you mean home?\n"


def test_the_version_is_told_without_a_manager_too(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    assert "Manager:  0.1.0" in run("version").out
    environment["STACKCTL_ENDPOINT"] = f"unix://{tmp_path}/nobody.sock"
    done = run("version")
    assert done.code == 0
    assert "Manager:  none" in done.out


def test_logs_name_their_task_and_node(shop: FakeCluster, run: Run) -> None:
    shop.log_lines["shop_db"] = ["ready", "warning: odd"]
    done = run("service", "logs", "shop_db")
    assert done.out == "shop_db.1.003task00000@n1    | ready\n"
    assert done.err == "shop_db.1.003task00000@n1    | warning: odd\n"
    assert run("service", "logs", "--raw", "-t", "-n", "2", "shop_db").out == (
        "2023-11-14T22:13:20.500000Z ready\n"
    )
    assert run("service", "logs", "--no-task-ids", "shop_db").out == "shop_db.1@n1    | ready\n"


def test_logs_of_one_task_are_asked_for_by_its_name(shop: FakeCluster, run: Run) -> None:
    shop.log_lines["shop_web"] = ["hello"]
    assert run("service", "logs", "shop_web.2").out == "shop_web.2.002task00000@n2    | hello\n"
    done = run("service", "logs", "shop_web.9")
    assert done.code == 1
    assert done.err.startswith("stackctl: no such service or task: shop_web.9\n")


@pytest.mark.parametrize(("flag", "value"), [("--tail", "many"), ("--since", "yesterday")])
def test_flags_of_logs_that_make_no_sense_are_refused(
    shop: FakeCluster, run: Run, flag: str, value: str
) -> None:
    done = run("service", "logs", flag, value, "shop_web")
    assert done.code == 2
    assert value in done.err


def test_a_service_that_cannot_grow_says_so_in_the_end(shop: FakeCluster, run: Run) -> None:
    shop.habits["shop_web"] = Habit("waits", "no suitable node (3 nodes full)")
    done = run("service", "scale", "--timeout", "0.2", "shop_web=4")
    assert done.code == 4
    assert "shop_web is not complete after 0.2 s: no suitable node (3 nodes full)" in done.err
