"""Which manager answers, and how refusals come back as errors."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.client import failures, transport
from stackctl.client.api import Client
from stackctl.errors import ClusterUnavailable, Conflict, Denied, InputError, StackctlError
from stackctl.model import specs
from stackctl.wire import codec
from tests.fakes.api import FakeApi, serve
from tests.fakes.api_cluster import FakeCluster


def spec(replicas: int = 2) -> bytes:
    task = specs.TaskSpec(container=specs.ContainerSpec(image="web:1"))
    service = specs.ServiceSpec(name="shop_web", task=task, replicas=replicas)
    return codec.to_json(specs.StackSpec(name="shop", services=(service,)))


def endpoints(*texts: str) -> list[transport.Endpoint]:
    return [transport.parse_endpoint(text) for text in texts]


def test_a_stack_goes_there_and_comes_back(client: Client, cluster: FakeCluster) -> None:
    result = client.put_stack("shop", spec(), prune=False)
    assert [change["action"] for change in result["changes"]] == ["create"]
    cluster.settle()
    assert [task["state"] for task in client.tasks(stack="shop")] == ["running", "running"]
    assert client.service("shop_web")["service"]["running"] == 2
    assert [stack["name"] for stack in client.stacks()] == ["shop"]


def test_an_image_is_sent_in_pieces_and_listed(client: Client, cluster: FakeCluster) -> None:
    pieces = iter([b"one ", b"", b"two"])
    stored = client.put_image("stackctl.internal/web:1", pieces)
    assert cluster.images == {"stackctl.internal/web:1": b"one two"}
    assert stored["size_bytes"] == 7
    assert [image["reference"] for image in client.images()] == ["stackctl.internal/web:1"]


def test_a_manager_that_refuses_an_image_is_heard(client: Client, fake_api: FakeApi) -> None:
    body = json.dumps({"kind": "conflict", "message": "no room", "exit_code": 1}).encode()
    fake_api.refusal = (409, body)
    with pytest.raises(Conflict, match="no room"):
        client.put_image("stackctl.internal/web:1", iter([b"x" * 100_000] * 3))


def test_an_image_that_breaks_off_here_is_no_image_there(
    client: Client, cluster: FakeCluster
) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"one"
        raise StackctlError("the engine's answer broke off")

    with pytest.raises(StackctlError, match="broke off"):
        client.put_image("stackctl.internal/web:1", breaking())
    assert cluster.images == {}


def test_names_are_quoted(client: Client, fake_api: FakeApi) -> None:
    with pytest.raises(failures.NoSuchName, match="no such service: a/b c"):
        client.service("a/b c")
    assert fake_api.requests == ["GET /v1/services/a%2Fb%20c"]


def test_the_next_manager_is_asked_when_one_is_not_there(fake_api: FakeApi, tmp_path: Path) -> None:
    client = Client(endpoints(f"unix://{tmp_path}/gone.sock", fake_api.endpoint))
    assert client.cluster()["leader"] == "n1"
    assert client.endpoints[0] == fake_api.endpoint


def test_the_next_manager_is_asked_when_one_has_no_leader(
    fake_api: FakeApi, tmp_path: Path
) -> None:
    body = json.dumps({"kind": "unavailable", "message": "no leader", "exit_code": 3}).encode()
    with serve(tmp_path / "minority.sock", FakeCluster()) as minority:
        minority.refusal = (503, body)
        client = Client(endpoints(minority.endpoint, fake_api.endpoint))
        assert client.cluster()["leader"] == "n1"
        alone = Client(endpoints(minority.endpoint))
        with pytest.raises(ClusterUnavailable, match="no leader"):
            alone.cluster()


def test_nobody_answering_names_every_endpoint_and_reason(tmp_path: Path) -> None:
    client = Client(endpoints(f"unix://{tmp_path}/a.sock", f"unix://{tmp_path}/b.sock"))
    with pytest.raises(failures.NoManagerAnswers) as caught:
        client.nodes()
    assert caught.value.exit_code == 3
    assert caught.value.message.count("no such file or directory") == 2
    assert "--endpoint" in str(caught.value.hint)


def test_a_change_without_an_answer_is_not_sent_twice(fake_api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen(1)
        client = Client(endpoints(f"unix://{path}", fake_api.endpoint))
        request = transport.Request("POST", "/v1/services/x/rollback", timeout_seconds=0.05)
        with pytest.raises(failures.OutcomeUnknown, match="may have been done or not"):
            client._ask(request, whole=True)
        repeatable = transport.Request("GET", "/v1/cluster", timeout_seconds=0.05)
        with client._ask(repeatable, whole=True) as answer:
            assert answer.status == 200
    assert fake_api.requests == ["GET /v1/cluster"]


def test_a_frozen_manager_does_not_hold_up_those_that_answer(
    fake_api: FakeApi, tmp_path: Path
) -> None:
    path = tmp_path / "frozen.sock"
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(path))
        frozen.listen(4)
        client = Client(endpoints(f"unix://{path}", fake_api.endpoint))
        patient = transport.Request("GET", "/v1/cluster", timeout_seconds=3600)
        hasty = client._haste(patient)
        assert hasty.timeout_seconds == 1
        poll = patient._replace(answer_after_seconds=10)
        assert client._haste(poll).timeout_seconds == 11
        quick = hasty._replace(timeout_seconds=0.05)
        with client._ask(quick, whole=False) as answer:
            assert answer.status == 200
        assert client.endpoints[0] == fake_api.endpoint


def test_a_manager_that_took_its_time_to_say_no_has_the_last_word(tmp_path: Path) -> None:
    body = b'{"kind": "unavailable", "message": "no majority"}'
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as frozen:
        for listener, name in ((slow, "slow.sock"), (frozen, "frozen.sock")):
            listener.bind(str(tmp_path / name))
            listener.listen(4)
        client = Client(endpoints(f"unix://{tmp_path}/slow.sock", f"unix://{tmp_path}/frozen.sock"))

        def answer_the_second_time() -> None:
            hasty, patient = slow.accept()[0], slow.accept()[0]
            with hasty, patient:
                patient.recv(4096)
                patient.sendall(head + body)

        manager = threading.Thread(target=answer_the_second_time)
        manager.start()
        # Haste is a second; the negative time makes it a tenth of one for this test.
        request = transport.Request("GET", "/v1/nodes", answer_after_seconds=-0.9)
        with pytest.raises(ClusterUnavailable, match="no majority"):
            client._ask(request, whole=True)
        manager.join()
        frozen.setblocking(False)
        frozen.accept()[0].close()
        with pytest.raises(BlockingIOError):
            frozen.accept()  # it was asked in haste only


def test_haste_ends_with_the_first_word_of_an_answer(fake_api: FakeApi) -> None:
    client = Client(endpoints(fake_api.endpoint, fake_api.endpoint))
    patient = transport.Request("GET", "/v1/cluster", timeout_seconds=3600)
    with client._ask(patient, whole=False) as answer:
        assert answer._connection.gettimeout() == 3600


def test_a_lone_manager_is_waited_for(fake_api: FakeApi) -> None:
    client = Client(endpoints(fake_api.endpoint))
    patient = transport.Request("GET", "/v1/cluster", timeout_seconds=3600)
    assert client._haste(patient) == patient


@pytest.mark.parametrize(
    ("kind", "status", "family", "code"),
    [
        ("input", 400, InputError, 2),
        ("denied", 403, Denied, 1),
        ("unknown-name", 404, failures.NoSuchName, 1),
        ("conflict", 409, Conflict, 1),
        ("unavailable", 503, ClusterUnavailable, 3),
        ("internal", 500, StackctlError, 1),
        ("of-the-future", 500, StackctlError, 1),
    ],
)
def test_refusals_come_back_as_what_they_were(
    kind: str, status: int, family: type[StackctlError], code: int
) -> None:
    body = json.dumps({"kind": kind, "message": "no such thing: x", "hint": "try y"}).encode()
    error = failures.of_answer(status, body, endpoint="unix:///m.sock")
    assert type(error) is family
    assert (error.message, error.hint, error.exit_code) == ("no such thing: x", "try y", code)


@pytest.mark.parametrize(("status", "code"), [(502, 3), (404, 1)])
def test_something_that_is_no_manager_is_named(status: int, code: int) -> None:
    error = failures.of_answer(status, b"<html>\n<p>nginx", endpoint="https://n1:2477")
    assert error.message == f"https://n1:2477 answered {status}: <html> <p>nginx"
    assert error.exit_code == code


def test_log_lines_come_whole(client: Client, cluster: FakeCluster) -> None:
    client.put_stack("shop", spec(replicas=1), prune=False)
    cluster.settle()
    cluster.log_lines["shop_web"] = ["one", "two", "three ü"]
    lines = list(client.logs("shop_web", tail=2))
    assert [line["text"] for line in lines] == ["two", "three ü"]
    assert lines[0]["error"] == ""
