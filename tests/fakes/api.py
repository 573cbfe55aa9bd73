"""A manager's API on a unix socket, over a cluster in memory: a small real HTTP server.

It speaks the contract with the structs of `stackctl.wire.api`, so a field that the contract lacks
cannot be answered here either. A long poll that has nothing to report makes the cluster take a
step instead of waiting: whoever follows a change sees it move, and no test has to sleep.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec.structs import replace

from stackctl.errors import Conflict, InputError, StackctlError, UnknownName
from stackctl.model import specs
from stackctl.wire import api, codec
from tests.fakes.api_cluster import FakeCluster, FakeService

_KINDS = (
    (UnknownName, "unknown-name", 404),
    (InputError, "input", 400),
    (Conflict, "conflict", 409),
    (StackctlError, "internal", 500),
)


class Question(NamedTuple):
    """One request, taken apart."""

    reference: str
    query: dict[str, str]
    body: bytes


Handler = Callable[[FakeCluster, Question], Any]


class FakeApi(ThreadingMixIn, UnixStreamServer):
    """The server; `requests` are the requests it got, `refusal` is the answer to all when set."""

    daemon_threads = True

    def __init__(self, path: Path, cluster: FakeCluster) -> None:
        super().__init__(str(path), _Connection)
        self.endpoint = f"unix://{path}"
        self.cluster = cluster
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.refusal: tuple[int, bytes] | None = None
        self.lock = threading.Lock()
        self.faults: list[BaseException] = []
        self.on_request: Callable[[str], None] = lambda _request: None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away; any other fault fails the test that caused it."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.faults.append(error)


@contextmanager
def serve(path: Path, cluster: FakeCluster) -> Iterator[FakeApi]:
    """The API on the unix socket at `path`, until the block ends."""
    server = FakeApi(path, cluster)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="fake api")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert server.faults == []


def service_view(cluster: FakeCluster, service: FakeService) -> api.ServiceView:
    """A service as the API shows it."""
    own = [task for task in cluster.tasks if task.service_id == service.id and task.is_current]
    spec = service.spec
    return api.ServiceView(
        id=service.id,
        name=spec.name,
        stack=service.stack,
        mode=spec.mode.value,
        running=sum(1 for task in own if task.state == "running"),
        desired=len(cluster.slots(service)),
        image=spec.task.container.image,
        replicas_per_node_max=spec.task.placement.replicas_per_node_max,
        ports=tuple(
            api.PortView(
                published=port.published,
                target=port.target,
                protocol=port.protocol,
                mode=port.mode.value,
            )
            for port in spec.ports
        ),
        labels=spec.labels,
        update=service.update,
        removing=service.is_removing,
        revision=service.revision,
        created_at=service.created_at,
        updated_at=service.created_at,
    )


def _cluster(cluster: FakeCluster, _question: Question) -> api.ClusterView:
    leader = next(iter(cluster.nodes.values()))
    return api.ClusterView(
        cluster_id="cluster".ljust(25, "0"),
        manager_id=leader.id,
        leader_id=leader.id,
        term=1,
        index=cluster.index,
        managers=(leader.id,),
        addresses=("192.0.2.1:2477",),
        version="0.1.0",
        leader=leader.hostname,
        worker_join_token="SCTKN-1-worker",
        manager_join_token="SCTKN-1-manager",
    )


def _changes(cluster: FakeCluster, question: Question) -> api.ChangesView:
    if cluster.index <= int(question.query["after"]):
        cluster.step()
    return api.ChangesView(index=cluster.index)


def _services(cluster: FakeCluster, question: Question) -> list[api.ServiceView]:
    stack = question.query.get("stack", "")
    found = [each for each in cluster.services.values() if stack in {"", each.stack}]
    return [service_view(cluster, service) for service in found]


def _service(cluster: FakeCluster, question: Question) -> api.ServiceDetail:
    service = cluster.find_service(question.reference)
    return api.ServiceDetail(
        service=service_view(cluster, service), spec=service.spec, previous_spec=service.previous
    )


def _tasks(cluster: FakeCluster, question: Question) -> list[api.TaskView]:
    query, tasks = question.query, list(cluster.tasks)
    if "service" in query:
        service_id = cluster.find_service(query["service"]).id
        tasks = [task for task in tasks if task.service_id == service_id]
    if "node" in query:
        node_id = cluster.find_node(query["node"]).id
        tasks = [task for task in tasks if task.node_id == node_id]
    if "stack" in query:
        if query["stack"] not in cluster.stacks:
            raise UnknownName("stack", query["stack"], known=cluster.stacks)
        tasks = [task for task in tasks if task.stack == query["stack"]]
    return sorted(tasks, key=lambda task: (task.name, -task.created_at))


def _explain(cluster: FakeCluster, question: Question) -> api.TaskExplanation:
    named = [task for task in cluster.tasks if question.reference in {task.id, task.name}]
    if not named:
        known = [task.name for task in cluster.tasks]
        raise UnknownName("task", question.reference, known=known)
    task = named[0]
    return api.TaskExplanation(
        task_id=task.id,
        name=task.name,
        state=task.state,
        node=task.node,
        error=task.error,
        cause=task.cause,
        nodes=tuple(
            api.NodeVerdict(
                node_id=node.id,
                hostname=node.hostname,
                verdict="here" if node.id == task.node_id else "refused",
                reason="0 tasks of the service, 0 in all" if node.id == task.node_id else "full",
                rank=1 if node.id == task.node_id else 0,
            )
            for node in cluster.nodes.values()
        ),
    )


def _wish(question: Question) -> api.RebalanceRequest:
    return codec.from_json(question.body, api.RebalanceRequest)


def _networks(cluster: FakeCluster, question: Question) -> list[api.NetworkView]:
    stack = question.query.get("stack", "")
    return [network for network in cluster.networks.values() if stack in {"", network.stack}]


def _contents(kind: str) -> Handler:
    def answer(cluster: FakeCluster, question: Question) -> list[api.ContentView]:
        stack = question.query.get("stack", "")
        found = [item for item in cluster.contents if stack in {"", item.stack}]
        return [item for item in found if item.kind == kind]

    return answer


def _secret(cluster: FakeCluster, question: Question) -> api.ContentView:
    secrets = {item.name: item for item in cluster.contents if item.kind == "secret"}
    if question.reference not in secrets:
        raise UnknownName("secret", question.reference, known=secrets)
    return secrets[question.reference]


def _put_stack(cluster: FakeCluster, question: Question) -> api.DeployResult:
    spec = codec.from_json(question.body, specs.StackSpec)
    return cluster.put_stack(spec, prune=question.query.get("prune") == "1")


def _scale(cluster: FakeCluster, question: Question) -> api.ServiceView:
    request = codec.from_json(question.body, api.ScaleRequest)
    return service_view(cluster, cluster.scale(question.reference, request.replicas))


def _update_node(cluster: FakeCluster, question: Question) -> api.NodeView:
    return cluster.update_node(question.reference, codec.from_json(question.body, api.NodeUpdate))


def _remove_node(cluster: FakeCluster, question: Question) -> None:
    cluster.remove_node(question.reference, force=question.query.get("force") == "1")


def _logs(cluster: FakeCluster, question: Question) -> list[api.LogLine]:
    service = cluster.find_service(question.reference)
    lines = cluster.log_lines.get(service.spec.name, [])
    tail = int(question.query.get("tail", len(lines)))
    wanted = question.query.get("task", "")
    return [
        api.LogLine(
            at=1_700_000_000.5,
            task_id=task.id,
            task=task.name,
            node=task.node,
            source="stderr" if text.startswith("warning") else "stdout",
            text=text,
        )
        for task in cluster.tasks
        if task.service_id == service.id and wanted in {"", task.id}
        for text in lines[len(lines) - tail :]
    ]


def _put_image(cluster: FakeCluster, question: Question) -> api.ImageView:
    reference = question.query["reference"]
    content = question.body or cluster.images[reference]
    cluster.images[reference] = content
    return api.ImageView(reference=reference, size_bytes=len(content), stored_at=1)


def _images(cluster: FakeCluster, _question: Question) -> list[api.ImageView]:
    return [
        api.ImageView(reference=name, size_bytes=len(content), stored_at=1)
        for name, content in cluster.images.items()
    ]


def _spread(cluster: FakeCluster, question: Question) -> list[api.ImageTransfer]:
    spec = codec.from_json(question.body, specs.StackSpec)
    return [
        api.ImageTransfer(
            image=service.task.container.image,
            node=node.hostname,
            state="failed" if node.hostname in cluster.image_faults else "done",
            error=cluster.image_faults.get(node.hostname, ""),
        )
        for service in spec.services
        for node in cluster.nodes.values()
    ]


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/v1/cluster"): _cluster,
    ("GET", "/v1/changes"): _changes,
    ("GET", "/v1/nodes"): lambda cluster, _: list(cluster.nodes.values()),
    ("GET", "/v1/nodes/*"): lambda cluster, question: cluster.find_node(question.reference),
    ("PATCH", "/v1/nodes/*"): _update_node,
    ("DELETE", "/v1/nodes/*"): _remove_node,
    ("GET", "/v1/stacks"): lambda cluster, _: list(cluster.stacks.values()),
    ("PUT", "/v1/stacks/*"): _put_stack,
    ("DELETE", "/v1/stacks/*"): lambda cluster, question: cluster.remove_stack(question.reference),
    ("GET", "/v1/services"): _services,
    ("GET", "/v1/services/*"): _service,
    ("DELETE", "/v1/services/*"): lambda cluster, question: cluster.remove_service(
        question.reference
    ),
    ("POST", "/v1/services/*/scale"): _scale,
    ("POST", "/v1/services/*/rollback"): lambda cluster, question: service_view(
        cluster, cluster.roll_back(question.reference)
    ),
    ("GET", "/v1/services/*/logs"): _logs,
    ("GET", "/v1/tasks"): _tasks,
    ("GET", "/v1/tasks/*/explain"): _explain,
    ("GET", "/v1/rebalance"): lambda cluster, _: replace(
        cluster.rebalancing.view, index=cluster.index
    ),
    ("POST", "/v1/rebalance"): lambda cluster, question: replace(
        cluster.rebalancing.begin(_wish(question)), index=cluster.index
    ),
    ("DELETE", "/v1/rebalance"): lambda cluster, _: cluster.rebalancing.stop(),
    ("POST", "/v1/rebalance/*"): lambda cluster, question: cluster.rebalancing.plan(
        _wish(question)
    ),
    ("GET", "/v1/networks"): _networks,
    ("GET", "/v1/images"): _images,
    ("PUT", "/v1/images"): _put_image,
    ("POST", "/v1/stacks/*/images"): _spread,
    ("GET", "/v1/configs"): _contents("config"),
    ("GET", "/v1/secrets"): _contents("secret"),
    ("GET", "/v1/secrets/*"): _secret,
}


class _Connection(BaseHTTPRequestHandler):
    """One connection, one request."""

    protocol_version = "HTTP/1.1"
    server: FakeApi

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        words = parts.path.split("/")
        reference = unquote(words[3]) if len(words) > 3 else ""
        pattern = "/".join("*" if index == 3 else word for index, word in enumerate(words))
        body = self._read_body()
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.bodies.append(body)
        self.server.on_request(f"{self.command} {parts.path}")
        if self.server.refusal is not None:
            self._send(*self.server.refusal)
            return
        try:
            with self.server.lock:
                handler = ROUTES[self.command, pattern]
                found = handler(self.server.cluster, Question(reference, query, body))
        except StackctlError as error:
            status, refusal = _refusal(error)
            self._send(status, codec.to_json(refusal))
        else:
            if pattern.endswith(("/logs", "*/images")):
                self._send_lines([codec.to_json(line) for line in found])
            else:
                self._send(204 if found is None else 200, codec.to_json(found) if found else b"[]")

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while line := self.rfile.readline():
            size = int(line, 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return body
        raise ConnectionResetError("the body broke off")

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0" if status == 204 else str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def _send_lines(self, lines: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for line in lines:
            # Cut in the middle, as a network may: lines and chunks have nothing to do with another.
            for piece in (line[:5], line[5:] + b"\n"):
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
        """Requests are kept in `requests`, not printed."""


def _refusal(error: StackctlError) -> tuple[int, api.ErrorBody]:
    kind, status = next(
        (kind, status) for family, kind, status in _KINDS if isinstance(error, family)
    )
    body = api.ErrorBody(
        kind=kind, message=error.message, hint=error.hint or "", exit_code=error.exit_code
    )
    return status, body
