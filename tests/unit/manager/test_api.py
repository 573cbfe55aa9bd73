"""The API over its unix socket: what it accepts, what it refuses and in which words."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from stackctl.errors import Denied
from stackctl.manager import callers
from stackctl.manager.calls import Audience
from stackctl.manager.routes import ROUTES
from stackctl.model import specs
from tests.manager_parts import Edges, running_edges, small_stack


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path) as running:
        yield running


async def test_a_deploy_answers_what_it_changed(edges: Edges) -> None:
    status, first = await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    assert status == 200
    assert sorted((change["action"], change["name"]) for change in first["changes"]) == [
        ("create", "shop_default"),
        ("create", "shop_web"),
    ]
    _, again = await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    assert {change["action"] for change in again["changes"]} == {"unchanged"}


async def test_an_unknown_field_of_a_body_is_refused_with_its_path(edges: Edges) -> None:
    body = b'{"name": "shop", "services": [{"name": "shop_web", "replicass": 3}]}'
    status, error = await edges.ask("PUT", "/v1/stacks/shop", body)
    assert status == 400
    assert error["kind"] == "input"
    assert "unknown field `replicass` - at `$.services[0]`" in error["message"]


async def test_an_unknown_query_parameter_is_refused(edges: Edges) -> None:
    status, error = await edges.ask("GET", "/v1/tasks?servce=x")
    assert (status, error["kind"], error["exit_code"]) == (400, "input", 2)
    assert "servce" in error["message"]


async def test_a_body_that_is_too_large_is_refused(edges: Edges) -> None:
    status, error = await edges.ask("PUT", "/v1/stacks/shop", b"x" * (5 << 20))
    assert (status, error["kind"]) == (413, "input")


async def test_a_stack_too_large_for_the_log_is_refused_with_the_sizes(edges: Edges) -> None:
    config = specs.ConfigSpec(name="shop_big", content=b"x" * (1 << 20))
    spec = specs.StackSpec(name="shop", configs=(config,))
    status, error = await edges.ask("PUT", "/v1/stacks/shop", spec)
    assert (status, error["kind"]) == (400, "input")


async def test_the_name_in_the_path_and_in_the_body_must_agree(edges: Edges) -> None:
    status, error = await edges.ask("PUT", "/v1/stacks/other", small_stack("shop"))
    assert (status, error["kind"]) == (400, "input")


async def test_a_port_that_is_taken_is_a_conflict_that_names_the_holder(edges: Edges) -> None:
    ports = (specs.PortSpec(target=80, published=8080),)
    await edges.ask("PUT", "/v1/stacks/a", small_stack("a", ports=ports))
    status, error = await edges.ask("PUT", "/v1/stacks/b", small_stack("b", ports=ports))
    assert (status, error["kind"]) == (409, "conflict")
    assert "a_web" in error["message"]


async def test_an_unknown_service_comes_with_near_names(edges: Edges) -> None:
    await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    status, error = await edges.ask("GET", "/v1/services/shop_wbe")
    assert (status, error["kind"]) == (404, "unknown-name")
    assert "shop_web" in error["hint"]


async def test_an_unknown_path_is_refused_in_the_same_form(edges: Edges) -> None:
    status, error = await edges.ask("GET", "/v1/pods")
    assert (status, error["kind"]) == (404, "unknown-name")
    status, error = await edges.ask("POST", "/v1/nodes")
    assert (status, error["kind"]) == (405, "input")


async def test_scaling_answers_the_new_service(edges: Edges) -> None:
    await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    status, view = await edges.ask("POST", "/v1/services/shop_web/scale", {"replicas": 5})
    assert (status, view["desired"]) == (200, 5)
    status, error = await edges.ask("POST", "/v1/services/shop_web/scale", {"replicas": -1})
    assert (status, error["kind"]) == (400, "input")


async def test_a_rollback_without_a_previous_spec_is_a_conflict(edges: Edges) -> None:
    await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    status, error = await edges.ask("POST", "/v1/services/shop_web/rollback")
    assert (status, error["kind"]) == (409, "conflict")


async def test_nodes_are_found_by_name_and_changed(edges: Edges) -> None:
    await edges.connect_node("w1" + "0" * 23, "worker1")
    update = {"availability": "drain", "label_add": {"disk": "ssd"}}
    status, node = await edges.ask("PATCH", "/v1/nodes/worker1", update)
    assert (status, node["availability"], node["labels"]) == (200, "drain", {"disk": "ssd"})
    status, error = await edges.ask("DELETE", "/v1/nodes/worker1")
    assert (status, error["kind"]) == (409, "conflict")
    status, _ = await edges.ask("DELETE", "/v1/nodes/worker1?force=1")
    assert status == 204
    _, nodes = await edges.ask("GET", "/v1/nodes")
    assert [node["hostname"] for node in nodes] == ["m1"]


async def test_without_a_leader_reads_and_writes_say_unavailable(edges: Edges) -> None:
    edges.consensus.lose_leader()
    for method, path, body in (
        ("GET", "/v1/services", None),
        ("PUT", "/v1/stacks/shop", small_stack()),
    ):
        status, error = await edges.ask(method, path, body)
        assert (status, error["kind"], error["exit_code"]) == (503, "unavailable", 3)
    status, cluster = await edges.ask("GET", "/v1/cluster")
    assert (status, cluster["leader_id"]) == (200, "")


async def test_the_long_poll_answers_as_soon_as_something_changes(edges: Edges) -> None:
    index = edges.parts.cluster.state.index
    waiting = asyncio.create_task(edges.ask("GET", f"/v1/changes?after={index}&timeout=20"))
    await edges.admit_node("w1", "worker1")
    async with asyncio.timeout(2):
        status, view = await waiting
    assert status == 200
    assert view["index"] > index


async def test_the_long_poll_gives_up_when_nothing_changes(edges: Edges) -> None:
    index = edges.parts.cluster.state.index
    status, view = await edges.ask("GET", f"/v1/changes?after={index + 100}&timeout=0.05")
    assert (status, view["index"]) == (200, index)


async def test_tokens_are_told_on_the_unix_socket(edges: Edges) -> None:
    _, view = await edges.ask("GET", "/v1/cluster")
    assert view["worker_join_token"].startswith("SCTKN-1-")
    assert view["manager_join_token"] != view["worker_join_token"]


@pytest.mark.parametrize("hostname", ["", "a b", "-x", "x\n", "x" * 300])
async def test_a_joiner_needs_a_host_name(edges: Edges, hostname: str) -> None:
    _, view = await edges.ask("GET", "/v1/cluster")
    request = {
        "token": view["worker_join_token"],
        "hostname": hostname,
        "certificate_request": "",
    }
    status, error = await edges.ask("POST", "/v1/join", request)
    assert (status, error["kind"]) == (400, "input")


async def test_a_caller_without_a_certificate_may_only_join(edges: Edges) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as http:
        for route in ROUTES:
            path = route.path.replace("{ref}", "x").replace("{name}", "x")
            url = f"https://{edges.parts.settings.api_address}{path}"
            async with http.request(route.method, url) as response:
                expected = 400 if route.audience == Audience.ANYONE else 403
                assert response.status == expected, (route.method, route.path)


def test_a_worker_may_use_what_is_for_nodes_and_nothing_else() -> None:
    open_to_workers = {
        (route.method, route.path) for route in ROUTES if route.audience == Audience.NODE
    }
    assert open_to_workers == {
        ("GET", "/v1/agent"),
        ("GET", "/v1/images/content"),
        ("GET", "/v1/nodes/{ref}"),
        ("GET", "/v1/tasks"),
        ("POST", "/v1/certificate"),
    }


def test_a_certificate_of_another_cluster_is_refused() -> None:
    certificate = {
        "subject": (
            (("commonName", "n1"),),
            (("organizationalUnitName", "stackctl-manager"),),
            (("organizationName", "theirs"),),
        )
    }
    assert callers.caller_of_certificate(certificate, cluster_id="theirs").is_operator
    with pytest.raises(Denied, match="another cluster"):
        callers.caller_of_certificate(certificate, cluster_id="ours")
