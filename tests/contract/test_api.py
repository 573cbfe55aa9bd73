"""The API as the client needs it, held by the fake manager and by a real one.

The real one is a process with a scripted agent, so the second half is an integration test. What
only one of them can do (a service that crashes at will) is not here.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.client import transport, views
from stackctl.client.api import Client
from stackctl.client.convergence import Convergence, Snapshot, Verdict
from stackctl.client.failures import NoSuchName
from stackctl.errors import Conflict, InputError, StackctlError
from stackctl.model import specs
from stackctl.wire import codec
from tests.eventually import eventually
from tests.fakes.api import serve
from tests.fakes.api_cluster import FakeCluster
from tests.manager_process import ManagerProcess
from tests.scripted_agent import ScriptedAgent


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    if request.param == "fake":
        with serve(tmp_path / "manager.sock", FakeCluster(nodes=("m1",))) as server:
            yield Client([transport.parse_endpoint(server.endpoint)])
        return
    manager = ManagerProcess(tmp_path / "m1", "m1", "--bootstrap").start()
    try:
        manager.wait_until_it_answers()
        agent = ScriptedAgent(
            node_id=manager.node_id,
            hostname="m1",
            endpoints=[manager.api_address],
            identity_dir=manager.identity_dir,
        ).start()
        try:
            eventually(lambda: agent.connections, timeout_seconds=10)
            yield Client([transport.Endpoint(path=str(manager.socket_path))])
        finally:
            agent.stop()
    finally:
        manager.stop()


def stack(*, replicas: int = 2, image: str = "web:1", port: int = 8080) -> bytes:
    update = specs.UpdatePolicy(monitor_seconds=0.1)
    network = specs.NetworkSpec(name="shop_default")
    services = (
        specs.ServiceSpec(
            name="shop_web",
            task=specs.TaskSpec(
                container=specs.ContainerSpec(image=image),
                networks=(specs.NetworkAttachment(network=network.name),),
            ),
            replicas=replicas,
            ports=(specs.PortSpec(target=80, published=port),),
            update=update,
            rollback=update,
        ),
        specs.ServiceSpec(
            name="shop_db", task=specs.TaskSpec(container=specs.ContainerSpec(image="db:1"))
        ),
    )
    return codec.to_json(specs.StackSpec(name="shop", services=services, networks=(network,)))


def follow(client: Client, **options: bool) -> Verdict:
    """Waits as the command line does, with the long poll between two looks."""
    undone = ("shop_web",) if options.get("undo") else ()
    wait = Convergence(("shop_web", "shop_db"), now=0, accepts_rollback=undone)
    index, now = client.changes(after=0, timeout_seconds=0)["index"], 0.0

    def look() -> Verdict | None:
        nonlocal index, now
        now += 0.5
        verdict = wait.observe(
            Snapshot(client.services(stack="shop"), client.tasks(stack="shop")), now=now
        )
        if verdict.is_converged or verdict.failure:
            return verdict
        index = client.changes(after=index, timeout_seconds=0.3)["index"]
        return None

    verdict = eventually(look, timeout_seconds=15)
    assert verdict is not None
    return verdict


def with_secret(content: bytes) -> bytes:
    """A stack of one service with a secret of that content, and a config."""
    secret = specs.ConfigReference(name="shop_key", target="/run/secrets/key")
    config = specs.ConfigReference(name="shop_motd", target="/motd")
    container = specs.ContainerSpec(image="web:1", secrets=(secret,), configs=(config,))
    service = specs.ServiceSpec(name="shop_web", task=specs.TaskSpec(container=container))
    spec = specs.StackSpec(
        name="shop",
        services=(service,),
        configs=(specs.ConfigSpec(name="shop_motd", content=b"hello"),),
        secrets=(specs.SecretSpec(name="shop_key", content=content),),
    )
    return codec.to_json(spec)


def shown(service: views.ServiceView) -> tuple[str, int, int, str]:
    return service["name"], service["running"], service["desired"], service["image"]


def test_a_stack_is_deployed_updated_rolled_back_and_removed(client: Client) -> None:
    created = client.put_stack("shop", stack(), prune=False)
    assert {change["name"]: change["action"] for change in created["changes"]} == {
        "shop_default": "create",
        "shop_web": "create",
        "shop_db": "create",
    }
    assert follow(client).is_converged
    services = sorted(client.services(stack="shop"), key=lambda service: service["name"])
    assert [shown(service) for service in services] == [
        ("shop_db", 1, 1, "db:1"),
        ("shop_web", 2, 2, "web:1"),
    ]
    assert services[1]["ports"] == [
        {"published": 8080, "target": 80, "protocol": "tcp", "mode": "ingress"}
    ]

    again = client.put_stack("shop", stack(), prune=False)
    assert {change["action"] for change in again["changes"]} == {"unchanged"}

    client.put_stack("shop", stack(image="web:2"), prune=False)
    assert follow(client).is_converged
    detail = client.service("shop_web")
    assert detail["service"]["image"] == "web:2"
    assert detail["service"]["update"] is not None
    assert detail["service"]["update"]["state"] == "completed"
    assert detail["previous_spec"] is not None
    history = client.tasks(service="shop_web")
    assert [task["name"] for task in history] == ["shop_web.1"] * 2 + ["shop_web.2"] * 2
    assert [task["is_current"] for task in history] == [True, False, True, False]

    assert client.rollback_service("shop_web")["name"] == "shop_web"
    assert follow(client, undo=True).is_converged
    assert client.service("shop_web")["service"]["image"] == "web:1"

    client.remove_stack("shop")
    eventually(lambda: _gone(client), timeout_seconds=15)
    assert client.services() == []
    assert client.tasks() == []


def _gone(client: Client) -> bool:
    client.changes(after=client.changes(after=0, timeout_seconds=0)["index"], timeout_seconds=0.2)
    return client.stacks() == []


def test_services_are_scaled(client: Client) -> None:
    client.put_stack("shop", stack(replicas=1), prune=False)
    assert client.scale_service("shop_web", 3)["desired"] == 3
    assert follow(client).is_converged
    live = [task for task in client.tasks(stack="shop") if task["is_current"]]
    assert [task["name"] for task in live] == [
        "shop_db.1",
        "shop_web.1",
        "shop_web.2",
        "shop_web.3",
    ]


def test_pruning_removes_what_is_left_out(client: Client) -> None:
    client.put_stack("shop", stack(), prune=False)
    spec = codec.to_json(
        specs.StackSpec(
            name="shop",
            services=(
                specs.ServiceSpec(
                    name="shop_db", task=specs.TaskSpec(container=specs.ContainerSpec(image="db:1"))
                ),
            ),
        )
    )
    kept = client.put_stack("shop", spec, prune=False)
    assert "shop_web" not in {change["name"] for change in kept["changes"]}
    pruned = client.put_stack("shop", spec, prune=True)
    assert ("remove", "shop_web") in {
        (change["action"], change["name"]) for change in pruned["changes"]
    }


def test_unknown_names_are_refused_by_kind(client: Client) -> None:
    client.put_stack("shop", stack(), prune=False)
    with pytest.raises(NoSuchName, match="no such service: shop_wbe") as caught:
        client.service("shop_wbe")
    assert "shop_web" in str(caught.value.hint)
    for question in (
        lambda: client.tasks(service="nobody"),
        lambda: client.tasks(stack="nobody"),
        lambda: client.node("nobody"),
        lambda: client.remove_stack("nobody"),
        lambda: client.scale_service("nobody", 1),
        lambda: list(client.logs("nobody")),
    ):
        with pytest.raises(NoSuchName, match="nobody"):
            question()
    assert client.services(stack="nobody") == []


def test_objects_are_known_by_name_id_and_how_the_id_begins(client: Client) -> None:
    client.put_stack("shop", stack(), prune=False)
    service_id = client.service("shop_web")["service"]["id"]
    assert client.service(service_id)["service"]["name"] == "shop_web"
    assert client.service(service_id[:10])["service"]["name"] == "shop_web"
    node = client.node("self")
    assert node["hostname"] == "m1"
    assert client.node(node["id"][:10]) == client.node("m1")


def test_what_makes_no_sense_is_refused(client: Client) -> None:
    client.put_stack("shop", stack(), prune=False)
    with pytest.raises(Conflict, match="does not have a previous spec"):
        client.rollback_service("shop_web")
    with pytest.raises(StackctlError, match="m1"):
        client.remove_node("m1", force=False)
    with pytest.raises((InputError, Conflict), match="disk"):
        client.update_node("m1", {"label_remove": ["disk"]})


def test_nodes_are_labelled_and_drained(client: Client) -> None:
    update = {"availability": "drain", "label_add": {"disk": "ssd"}}
    node = client.update_node("m1", update)
    assert (node["availability"], node["labels"]) == ("drain", {"disk": "ssd"})
    assert client.update_node("m1", {"label_remove": ["disk"]})["labels"] == {}


def test_the_cluster_is_known_to_whoever_asks_locally(client: Client) -> None:
    cluster = client.cluster()
    assert cluster["leader"] == "m1"
    assert cluster["leader_id"] == cluster["manager_id"] == client.node("self")["id"]
    assert cluster["worker_join_token"].startswith("SCTKN-1-")
    assert cluster["manager_join_token"] != cluster["worker_join_token"]


def test_contents_are_told_apart_and_never_told(client: Client) -> None:
    client.put_stack("shop", with_secret(b"one"), prune=False)
    again = client.put_stack("shop", with_secret(b"one"), prune=False)
    assert {change["action"] for change in again["changes"]} == {"unchanged"}
    changed = client.put_stack("shop", with_secret(b"two"), prune=False)
    actions = {(change["kind"], change["name"]): change["action"] for change in changed["changes"]}
    assert actions["secret", "shop_key"] == "update"
    assert actions["config", "shop_motd"] == "unchanged"
    rows = {row["number"]: row for row in client.contents("secrets", stack="shop")}
    assert [(number, row["is_current"]) for number, row in sorted(rows.items())] == [
        (1, False),
        (2, True),
    ]
    assert rows[1]["digest"] != rows[2]["digest"]
    assert rows[2]["used_by"] == ["shop_web"]
    assert "content" not in rows[1]
    assert client.content("secrets", "shop_key")["number"] == 2
    assert [row["name"] for row in client.contents("configs")] == ["shop_motd"]
    assert client.contents("configs", stack="nobody") == []
    with pytest.raises(NoSuchName, match="no such secret: shop_kee"):
        client.content("secrets", "shop_kee")


def test_a_task_is_explained_and_an_even_cluster_has_nothing_to_move(client: Client) -> None:
    client.put_stack("shop", stack(), prune=False)
    assert follow(client).is_converged
    found = client.explain_task("shop_web.1")
    assert (found["name"], found["state"], found["node"]) == ("shop_web.1", "running", "m1")
    assert [(node["hostname"], node["verdict"], node["rank"]) for node in found["nodes"]] == [
        ("m1", "here", 1)
    ]
    with pytest.raises(NoSuchName, match=r"no such task: shop_web\.9"):
        client.explain_task("shop_web.9")
    wish = {"services": [], "allows_stateful": False, "moves_max": 0}
    assert client.plan_rebalance(wish)["moves"] == []
    client.rebalance(wish)
    seen = eventually(
        lambda: seen if not (seen := client.rebalancing())["is_running"] else None,
        timeout_seconds=10,
    )
    assert seen is not None
    assert (seen["moved"], seen["moving"], seen["failure"]) == (0, "", "")
    assert not client.stop_rebalancing()["is_running"]
