"""A method for each request of the API; which manager answers is settled here.

The endpoints are tried in order, starting with the one that answered last. Another one is tried
when nothing could be sent, when a manager has no leader, and, for requests that may be repeated
without harm, when the answer does not come: soon where there are others to ask (a frozen manager
must not hold up a cluster that has two more), with patience where all are silent.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from stackctl.client import content_views, failures, placement_views, transport, views
from stackctl.errors import ClusterUnavailable

if TYPE_CHECKING:
    import ssl

# Longer than any long poll (30 s), so that only a dead manager is given up.
_POLL_MARGIN_SECONDS = 10.0
_POLL_SECONDS_MAX = 30.0
# A manager writes an image to its disk, to the last byte, before it answers.
_UPLOAD_PAUSE_SECONDS = 120.0
_LOG_PAUSE_SECONDS_MAX = 24 * 3600.0
# How long to wait for an answer while other managers could be asked; these may be repeated.
_HASTY_SECONDS = {"GET": 1.0, "PUT": 5.0, "DELETE": 5.0}

Query = dict[str, str]


class Client:
    """Asks the managers of one cluster. Every method raises the errors of `stackctl.errors`."""

    def __init__(
        self, endpoints: Sequence[transport.Endpoint], *, identity: Path | None = None
    ) -> None:
        self._endpoints = list(endpoints)
        self._identity = identity
        self._tls: ssl.SSLContext | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints, the next one to be tried first."""
        return tuple(str(endpoint) for endpoint in self._endpoints)

    def cluster(self) -> views.ClusterView:
        """The cluster."""
        return views.complete_cluster(self._json("GET", "/v1/cluster"))

    def nodes(self) -> list[views.NodeView]:
        """All nodes."""
        return [views.complete_node(node) for node in self._json("GET", "/v1/nodes")]

    def node(self, reference: str) -> views.NodeView:
        """One node, by id, host name, unique start of its id, or "self"."""
        return views.complete_node(self._json("GET", _path("nodes", reference)))

    def update_node(self, reference: str, update: dict[str, Any]) -> views.NodeView:
        """Change availability and labels; `update` has the fields of the API's NodeUpdate."""
        body = json.dumps(update).encode()
        return views.complete_node(self._json("PATCH", _path("nodes", reference), body=body))

    def remove_node(self, reference: str, *, force: bool) -> None:
        """Forget a node that is down, or any with `force`."""
        self._answer("DELETE", _path("nodes", reference), query={"force": "1"} if force else {})

    def stacks(self) -> list[views.StackView]:
        """All stacks."""
        return [views.complete_stack(stack) for stack in self._json("GET", "/v1/stacks")]

    def put_stack(
        self, name: str, spec: bytes, *, prune: bool, rerun: bool = False
    ) -> views.DeployResult:
        """Deploy a stack; `spec` is a StackSpec as JSON. `rerun` lets its jobs run again."""
        path, query = _path("stacks", name), {"prune": "1" if prune else "0"}
        if rerun:
            query["rerun"] = "1"
        return views.complete_deploy(self._json("PUT", path, body=spec, query=query))

    def plan_stack(
        self, name: str, spec: bytes, *, prune: bool, rerun: bool = False
    ) -> views.PlanView:
        """What `put_stack` would do; nothing is changed."""
        path, query = f"{_path('stacks', name)}/plan", {"prune": "1" if prune else "0"}
        if rerun:
            query["rerun"] = "1"
        return views.complete_plan(self._json("POST", path, body=spec, query=query))

    def stack_revisions(self, name: str) -> list[views.StackRevisionView]:
        """What a stack was after its last deploys, the newest first."""
        found = self._json("GET", f"{_path('stacks', name)}/revisions")
        return [views.complete_stack_revision(revision) for revision in found]

    def rollback_stack(self, name: str, revision: int) -> views.DeployResult:
        """Make a stack what it was at a revision; 0 is the one before the present one."""
        path, body = f"{_path('stacks', name)}/rollback", {"revision": revision}
        return views.complete_deploy(self._json("POST", path, body=json.dumps(body).encode()))

    def remove_stack(self, name: str) -> views.ChangesView:
        """Begin to remove a stack; it is listed until its last task has ended."""
        return views.complete_changes(self._json("DELETE", _path("stacks", name)))

    def services(self, *, stack: str = "") -> list[views.ServiceView]:
        """All services, or those of a stack."""
        query = {"stack": stack} if stack else {}
        found = self._json("GET", "/v1/services", query=query)
        return [views.complete_service(service) for service in found]

    def service(self, reference: str) -> views.ServiceDetail:
        """One service whole."""
        return views.complete_service_detail(self._json("GET", _path("services", reference)))

    def update_service(self, reference: str, body: bytes) -> views.ServiceView:
        """Give a service another spec; `body` is an UpdateRequest as JSON."""
        answer = self._json("PUT", _path("services", reference), body=body)
        return views.complete_service(answer)

    def scale_service(self, reference: str, replicas: int) -> views.ServiceView:
        """Set the number of replicas."""
        body = json.dumps({"replicas": replicas}).encode()
        path = _path("services", reference) + "/scale"
        return views.complete_service(self._json("POST", path, body=body))

    def rollback_service(self, reference: str) -> views.ServiceView:
        """Return to the previous spec."""
        path = _path("services", reference) + "/rollback"
        return views.complete_service(self._json("POST", path))

    def remove_service(self, reference: str) -> views.ChangesView:
        """Begin to remove a service; it is listed until its last task has ended."""
        return views.complete_changes(self._json("DELETE", _path("services", reference)))

    def tasks(self, *, service: str = "", stack: str = "", node: str = "") -> list[views.TaskView]:
        """Tasks with their history, newest first within a name."""
        chosen = {"service": service, "stack": stack, "node": node}
        query = {key: value for key, value in chosen.items() if value}
        return [views.complete_task(task) for task in self._json("GET", "/v1/tasks", query=query)]

    def explain_task(self, reference: str) -> placement_views.TaskExplanation:
        """Why a task is where it is; it may be named by its place, `shop_web.2`."""
        path = _path("tasks", reference) + "/explain"
        return placement_views.complete_explanation(self._json("GET", path))

    def plan_rebalance(self, request: dict[str, Any]) -> placement_views.RebalanceView:
        """What rebalancing would move; `request` has the fields of the API's RebalanceRequest."""
        body = json.dumps(request).encode()
        return placement_views.complete_rebalance(
            self._json("POST", "/v1/rebalance/plan", body=body)
        )

    def rebalance(self, request: dict[str, Any]) -> placement_views.RebalanceView:
        """Begin to rebalance."""
        body = json.dumps(request).encode()
        return placement_views.complete_rebalance(self._json("POST", "/v1/rebalance", body=body))

    def rebalancing(self) -> placement_views.RebalanceView:
        """How far the rebalancing under way has come."""
        return placement_views.complete_rebalance(self._json("GET", "/v1/rebalance"))

    def stop_rebalancing(self) -> placement_views.RebalanceView:
        """Let no further task move; one on its way arrives."""
        return placement_views.complete_rebalance(self._json("DELETE", "/v1/rebalance"))

    def networks(self, *, stack: str = "") -> list[views.NetworkView]:
        """All networks, or those of a stack."""
        query = {"stack": stack} if stack else {}
        return [
            views.complete_network(found)
            for found in self._json("GET", "/v1/networks", query=query)
        ]

    def contents(self, collection: str, *, stack: str = "") -> list[content_views.ContentView]:
        """All "configs" or "secrets", or those of a stack: one for each content."""
        query = {"stack": stack} if stack else {}
        found = self._json("GET", f"/v1/{collection}", query=query)
        return [content_views.complete_content(content) for content in found]

    def content(self, collection: str, reference: str) -> content_views.ContentView:
        """One of "configs" or "secrets", by name, id, or unique start of its id."""
        return content_views.complete_content(self._json("GET", _path(collection, reference)))

    def images(self) -> list[content_views.ImageView]:
        """The cluster's own images that the answering manager holds."""
        found = self._json("GET", "/v1/images")
        return [content_views.complete_image(image) for image in found]

    def put_image(self, reference: str, content: Iterable[bytes]) -> content_views.ImageView:
        """Hand over an image, as `docker save` writes it, to the manager that answered last.

        It cannot be sent twice, because it is made while it is sent.
        """
        endpoint = self._endpoints[0]
        target = f"/v1/images?{urlencode({'reference': reference})}"
        request = transport.Request("PUT", target, content, timeout_seconds=_UPLOAD_PAUSE_SECONDS)
        try:
            answer = transport.send(endpoint, request, self._context_for(endpoint))
            body = answer.read()
        except transport.TransportFailure as error:
            raise ClusterUnavailable(
                f"image {reference} did not reach {endpoint}: {error.reason}"
            ) from error
        if answer.status >= 400:
            raise failures.of_answer(answer.status, body, endpoint=str(endpoint))
        return content_views.complete_image(json.loads(body))

    def spread_images(self, name: str, spec: bytes) -> Iterator[content_views.ImageTransfer]:
        """Have the nodes fetch the images of a stack that they will need; says how it goes."""
        path = f"{_path('stacks', name)}/images"
        request = transport.Request("POST", path, spec, timeout_seconds=_LOG_PAUSE_SECONDS_MAX)
        with self._ask(request, whole=False) as answer:
            try:
                for line in answer.lines():
                    yield content_views.complete_transfer(json.loads(line))
            except transport.NoAnswer as error:
                raise ClusterUnavailable(
                    f"{self._endpoints[0]} broke off while nodes fetched images: {error.reason}"
                ) from error

    def logs(
        self,
        reference: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
        task_id: str = "",
    ) -> Iterator[views.LogLine]:
        """What the tasks of a service wrote; `since` and `until` are seconds since the epoch."""
        query = {"follow": "1" if follow else "0"}
        for key, value in (("tail", tail), ("since", since), ("until", until)):
            if value is not None:
                query[key] = str(value)
        if task_id:
            query["task"] = task_id
        request = transport.Request(
            "GET",
            _path("services", reference) + f"/logs?{urlencode(query)}",
            timeout_seconds=_LOG_PAUSE_SECONDS_MAX if follow else 60.0,
        )
        with self._ask(request, whole=False) as answer:
            try:
                for line in answer.lines():
                    yield views.complete_log_line(json.loads(line))
            except transport.NoAnswer as error:
                raise ClusterUnavailable(
                    f"the logs from {self._endpoints[0]} broke off: {error.reason}"
                ) from error

    def changes(self, *, after: int, timeout_seconds: float) -> views.ChangesView:
        """Waits until something after index `after` was applied, at most `timeout_seconds` (30)."""
        seconds = min(max(timeout_seconds, 0.0), _POLL_SECONDS_MAX)
        query = {"after": str(after), "timeout": f"{seconds:.3f}"}
        request = transport.Request(
            "GET",
            f"/v1/changes?{urlencode(query)}",
            timeout_seconds=seconds + _POLL_MARGIN_SECONDS,
            answer_after_seconds=seconds,
        )
        with self._ask(request, whole=True) as answer:
            return views.complete_changes(json.loads(answer.read()))

    def _json(
        self, method: str, path: str, *, body: bytes = b"", query: Query | None = None
    ) -> Any:
        return json.loads(self._answer(method, path, body=body, query=query))

    def _answer(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        query: Query | None = None,
    ) -> bytes:
        target = f"{path}?{urlencode(query)}" if query else path
        request = transport.Request(method, target, body)
        with self._ask(request, whole=True) as answer:
            return answer.read()

    def _ask(self, request: transport.Request, *, whole: bool) -> transport.Answer:
        """The first good answer of any manager, which is asked first from now on.

        With `whole`, the answer counts only once its last byte is here.
        """
        attempts: dict[transport.Endpoint, str] = {}
        unavailable: ClusterUnavailable | None = None
        to_ask = [(endpoint, self._haste(request)) for endpoint in self._endpoints]
        while to_ask:
            endpoint, asked = to_ask.pop(0)
            try:
                answer = transport.send(endpoint, asked, self._context_for(endpoint))
                if whole:
                    answer.read()
            except transport.TransportFailure as error:
                attempts[endpoint] = error.reason
                if isinstance(error, transport.NoAnswer):
                    if request.method not in _HASTY_SECONDS:
                        raise failures.OutcomeUnknown(
                            request.method, str(endpoint), error.reason
                        ) from error
                    if asked != request:
                        to_ask.append((endpoint, request))
                continue
            if answer.status < 400:
                self._prefer(endpoint)
                if not whole:
                    # Haste was for the first word: a log that is followed may pause for hours.
                    answer.wait_up_to(request.timeout_seconds)
                return answer
            refusal = _refusal(endpoint, answer)
            is_last_word = endpoint in attempts  # it had all its time, and nobody was faster
            if is_last_word or not isinstance(refusal, ClusterUnavailable):
                raise refusal
            unavailable = refusal
        raise unavailable or failures.NoManagerAnswers(
            (str(endpoint), reason) for endpoint, reason in attempts.items()
        )

    def _haste(self, request: transport.Request) -> transport.Request:
        """The request with less patience, where another manager can be asked instead."""
        hasty = _HASTY_SECONDS.get(request.method)
        if hasty is None or len(self._endpoints) == 1:
            return request
        seconds = min(request.timeout_seconds, request.answer_after_seconds + hasty)
        return request._replace(timeout_seconds=seconds)

    def _context_for(self, endpoint: transport.Endpoint) -> "ssl.SSLContext | None":
        if endpoint.path or self._identity is None:
            return None
        if self._tls is None:
            self._tls = transport.client_tls(self._identity)
        return self._tls

    def _prefer(self, endpoint: transport.Endpoint) -> None:
        if self._endpoints[0] != endpoint:
            self._endpoints.remove(endpoint)
            self._endpoints.insert(0, endpoint)


def _refusal(endpoint: transport.Endpoint, answer: transport.Answer) -> Exception:
    with answer:
        try:
            body = answer.read()
        except transport.NoAnswer:
            body = b""
    return failures.of_answer(answer.status, body, endpoint=str(endpoint))


def _path(collection: str, name: str) -> str:
    return f"/v1/{collection}/{quote(name, safe='')}"
