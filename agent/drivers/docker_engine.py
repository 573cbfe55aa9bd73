"""The Docker Engine of this node, through the SDK's low-level client: the only home of `docker`.

The SDK's client is not safe to share between threads, so each thread has its own (0.2 ms to make,
as the API version is negotiated once and pinned). Its connection pools are keyed by the whole URL,
which would open a connection for every container id; `_OneConnection` keeps one per client. Streams
(events, logs) have a client to themselves, so that ending one closes nothing else.
"""

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import docker.errors
import requests
import urllib3.exceptions
from docker.api.client import APIClient
from docker.transport import UnixHTTPAdapter
from docker.types.daemon import CancellableStream

from agent.core.observed import LABEL_TASK_ID, Container, ContainerSummary
from agent.drivers import engine_values, log_frames
from agent.drivers.engine import (
    ContainerEvent,
    EngineFacts,
    ImageMissing,
    LogEntry,
    LogQuery,
    NoSuchContainer,
)
from agent.drivers.engine_words import (
    RETRY_SECONDS,
    AlreadyThere,
    NameTaken,
    failure_of,
    pull_failure,
    system_words,
)
from stackctl.errors import PermanentFailure, TemporaryFailure, UnfitMachine
from stackctl.model.specs import NAMESPACE_LABEL

API_VERSION_MIN = (1, 41)  # Docker Engine 20.10
API_VERSION_KNOWN_MAX = (1, 48)  # newer engines are asked in this older version
CALL_TIMEOUT_SECONDS = 120  # a start on a crowded machine can take tens of seconds
PING_TIMEOUT_SECONDS = 5
PROBE_OUTPUT_BYTES = 16 * 1024
PULL_SILENCE_SECONDS = 600  # between two lines of progress

EVENT_KINDS = ("start", "kill", "die", "destroy", "health_status", "pause", "unpause", "rename")
_URL_OF_THE_SOCKET = "http+docker://localhost"

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _OneConnection(UnixHTTPAdapter):
    """One pool for the socket, instead of one for every URL."""

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        del url
        return super().get_connection(_URL_OF_THE_SOCKET, proxies)


class DockerEngine:
    """One Docker Engine, reached through its unix socket."""

    def __init__(self, url: str) -> None:
        """`url` is `unix:///path`. Raises UnfitMachine for an engine that is too old, and
        TemporaryFailure when it does not answer.
        """
        self._url = url
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._clients: list[APIClient] = []  # one for each thread that has made a call
        self._pulled_at: dict[str, float] = {}  # by image; engines do not keep it
        self._version = self._negotiate()

    @property
    def api_version(self) -> tuple[int, int]:
        """The version of the engine's API that is spoken with it."""
        return self._version

    def ping(self) -> None:
        self._call(lambda client: client.ping(), timeout_seconds=PING_TIMEOUT_SECONDS)

    def facts(self) -> EngineFacts:
        body = self._call(lambda client: client.info())
        return engine_values.facts_from_info(body, self._version)

    def list_containers(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        found = self._call(
            lambda client: client.containers(all=True, filters={"label": _label_filter(labels)})
        )
        summaries = (engine_values.summary_from_list(body) for body in found)
        return tuple(summary for summary in summaries if summary is not None)

    def inspect(self, container_id: str) -> Container | None:
        try:
            body = self._call(lambda client: client.inspect_container(container_id))
        except NoSuchContainer:
            return None
        return engine_values.container_from_inspect(body)

    def create(self, name: str, body: Mapping[str, Any], *, platform: str = "") -> str:
        try:
            answer = self._call(
                lambda client: client.create_container_from_config(  # type: ignore[no-untyped-call]  # the stubs leave it out
                    dict(body), name, platform or None
                )
            )
        except NameTaken:
            return self._existing(name, body)
        for warning in answer.get("Warnings") or ():  # such as an option the kernel does not know
            _log.warning("container %s: %s", name, warning)
        return str(answer["Id"])

    def has_volume(self, name: str) -> bool:
        try:
            self._call(lambda client: client.inspect_volume(name))
        except NoSuchContainer:  # any 404
            return False
        return True

    def stack_volumes(self) -> tuple[str, ...]:
        wanted = {"driver": "local", "label": NAMESPACE_LABEL}
        answer = self._call(lambda client: client.volumes(filters=wanted))
        return tuple(sorted(str(volume["Name"]) for volume in answer.get("Volumes") or ()))

    def connect(self, container_id: str, network_name: str, endpoint: Mapping[str, Any]) -> None:
        body = {"Container": container_id, "EndpointConfig": dict(endpoint)}
        with contextlib.suppress(AlreadyThere):
            self._call(
                lambda client: _checked(
                    client.post(
                        self._endpoint(client, f"networks/{network_name}/connect"),
                        json=body,
                        timeout=client.timeout,
                    )
                )
            )

    def start(self, container_id: str) -> None:
        self._call(lambda client: client.start(container_id))

    def kill(self, container_id: str, signal: str) -> None:
        self._call(lambda client: client.kill(container_id, signal))

    def remove(self, container_id: str) -> None:
        with contextlib.suppress(NoSuchContainer):
            self._call(lambda client: client.remove_container(container_id, v=True))

    def pull(self, image: str, *, platform: str = "", refresh_seconds: float | None = None) -> None:
        if refresh_seconds is not None and self._got_within(image, refresh_seconds):
            return
        repository, tag = engine_values.image_reference(image)

        def read_progress(client: APIClient) -> None:
            for line in client.pull(
                repository, tag=tag, stream=True, decode=True, platform=platform or None
            ):
                if "error" in line:
                    raise pull_failure(str(line["error"]))

        try:
            self._call(read_progress, timeout_seconds=PULL_SILENCE_SECONDS)
        except NoSuchContainer as failure:  # 404 means an unknown image here
            raise ImageMissing(failure.reason) from failure
        with self._lock:
            self._pulled_at[image] = time.time()

    def _got_within(self, image: str, seconds: float) -> bool:
        try:
            body = self._call(
                lambda client: client.inspect_image(image)  # type: ignore[no-untyped-call]  # the stubs leave it out
            )
        except (ImageMissing, NoSuchContainer):
            return False
        with self._lock:
            got_at = max(engine_values.tagged_at(body), self._pulled_at.get(image, 0.0))
        return time.time() - got_at < seconds

    def probe(self, container_id: str, command: tuple[str, ...], timeout_seconds: float) -> bool:
        client = self._new_client(max(1, math.ceil(timeout_seconds)))
        try:
            with contextlib.closing(client), _failures_named():
                made = client.exec_create(container_id, list(command), stdout=True, stderr=True)
                if not self._runs_to_its_end(client, str(made["Id"]), timeout_seconds):
                    return False
                return client.exec_inspect(made["Id"]).get("ExitCode") == 0
        except (TemporaryFailure, PermanentFailure):
            # No answer in time, or a container that is just ending: not healthy either way.
            return False

    def _runs_to_its_end(self, client: APIClient, exec_id: str, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        response = client.post(
            self._endpoint(client, f"exec/{exec_id}/start"),
            json={"Detach": False, "Tty": False},
            stream=True,
            timeout=client.timeout,
        )
        with contextlib.closing(_checked(response)):
            while response.raw.read1(PROBE_OUTPUT_BYTES):
                if time.monotonic() > deadline:
                    return False
        return True

    def events(self, labels: Mapping[str, str]) -> "DockerEvents":
        client = self._new_client(CALL_TIMEOUT_SECONDS)
        filters = {
            "type": ["container"],
            "event": list(EVENT_KINDS),
            "label": _label_filter(labels),
        }
        with _failures_named():
            return DockerEvents(client, client.events(filters=filters, decode=True))

    def logs(self, container_id: str, query: LogQuery) -> "DockerLogs":
        container = self.inspect(container_id)
        if container is None:
            raise NoSuchContainer(f"no such container: {container_id}")
        client = self._new_client(CALL_TIMEOUT_SECONDS)
        parameters = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "follow": "1" if query.follow else "0",
            "tail": "all" if query.tail is None else str(query.tail),
            "since": f"{query.since:.9f}" if query.since else "0",
        }
        if query.until:
            parameters["until"] = f"{query.until:.9f}"
        with _failures_named():
            response = _checked(
                client.get(
                    self._endpoint(client, f"containers/{container_id}/logs"),
                    params=parameters,
                    stream=True,
                    timeout=None if query.follow else CALL_TIMEOUT_SECONDS,
                )
            )
        return DockerLogs(client, response, tty=container.tty)

    def list_networks(self, labels: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The engine's networks that carry these labels, as it describes them."""
        return self._call(lambda client: client.networks(filters={"label": _label_filter(labels)}))

    def create_network(self, body: Mapping[str, Any]) -> None:
        """Create a network from the engine's own form of its description."""
        self._call(
            lambda client: _checked(
                client.post(
                    self._endpoint(client, "networks/create"),
                    json=dict(body),
                    timeout=client.timeout,
                )
            )
        )

    def remove_network(self, name: str) -> None:
        """Remove a network; one that is gone is fine."""
        with contextlib.suppress(NoSuchContainer):  # any 404
            self._call(lambda client: client.remove_network(name))

    def close(self) -> None:
        """Close the connections of all threads; streams are closed by who opened them."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()

    def _existing(self, name: str, body: Mapping[str, Any]) -> str:
        container = self.inspect(name)
        if container is None or container.task_id != body.get("Labels", {}).get(LABEL_TASK_ID):
            raise PermanentFailure(f"the container name {name} is in use")
        return container.id

    def _negotiate(self) -> tuple[int, int]:
        client = self._new_client(PING_TIMEOUT_SECONDS, version=API_VERSION_MIN)
        with contextlib.closing(client), _failures_named():
            answer = client.version(api_version=False)
        offered = engine_values.parse_version(str(answer["ApiVersion"]))
        if offered < API_VERSION_MIN:
            raise UnfitMachine(
                f"the engine at {self._url} is too old: it speaks API {_text(offered)}, "
                f"{_text(API_VERSION_MIN)} is needed",
                hint="install Docker Engine 20.10 or later",
            )
        return min(offered, API_VERSION_KNOWN_MAX)

    def _call(self, call: Callable[[APIClient], T], *, timeout_seconds: int = 0) -> T:
        client = self._thread_client()
        client.timeout = timeout_seconds or CALL_TIMEOUT_SECONDS
        try:
            with _failures_named():
                return call(client)
        except PermanentFailure as failure:
            if type(failure) is PermanentFailure and self._is_ending():
                raise TemporaryFailure(
                    f"the engine is shutting down: {failure.reason}",
                    retry_after_seconds=RETRY_SECONDS,
                ) from failure
            raise

    def _is_ending(self) -> bool:
        """True when the engine takes no new connections. One that is shut down answers on old ones
        until its end, and refuses for reasons that have nothing to do with what was asked for.
        """
        try:
            with socket.socket(socket.AF_UNIX) as door:  # the SDK would leave it open on failure
                door.connect(self._url.removeprefix("unix://"))
            client = self._new_client(PING_TIMEOUT_SECONDS)
            with contextlib.closing(client), _failures_named():
                client.ping()
        except (OSError, TemporaryFailure, PermanentFailure):
            return True
        return False

    def _thread_client(self) -> APIClient:
        client: APIClient | None = getattr(self._threads, "client", None)
        if client is None:
            client = self._threads.client = self._new_client(CALL_TIMEOUT_SECONDS)
            with self._lock:
                self._clients.append(client)
        return client

    def _endpoint(self, client: APIClient, path: str) -> str:
        return f"{client.base_url}/v{_text(self._version)}/{path}"

    def _new_client(
        self, timeout_seconds: int, *, version: tuple[int, int] | None = None
    ) -> APIClient:
        client = APIClient(
            base_url=self._url,
            version=_text(version or self._version),
            timeout=timeout_seconds,
        )
        # The engine's socket is never behind a proxy; looking for one costs a third of a call.
        client.trust_env = False
        path = self._url.removeprefix("unix://")
        client.mount(_URL_OF_THE_SOCKET, _OneConnection(f"http+unix://{path}", timeout_seconds))
        return client


class DockerEvents:
    """An open stream of events; what reads it ends when the engine goes or `close` is called."""

    def __init__(self, client: APIClient, stream: Any) -> None:
        self._client = client
        self._stream = stream

    def __iter__(self) -> Iterator[ContainerEvent]:
        with contextlib.suppress(*_STREAM_ENDS):
            for body in self._stream:
                actor = body.get("Actor") or {}
                labels = actor.get("Attributes") or {}
                number = str(labels.get("signal", ""))
                yield ContainerEvent(
                    container_id=str(actor.get("ID", "")),
                    task_id=str(labels.get(LABEL_TASK_ID, "")),
                    kind=str(body.get("Action", "")).partition(":")[0],
                    signal=int(number) if number.isdecimal() else 0,
                )

    def close(self) -> None:
        with contextlib.suppress(*_STREAM_ENDS):
            self._stream.close()
        self._client.close()


class DockerLogs:
    """A container's output as entries; both of its sources, told apart."""

    def __init__(self, client: APIClient, response: requests.Response, *, tty: bool) -> None:
        self._client = client
        self._response = response
        self._tty = tty

    def __iter__(self) -> Iterator[LogEntry]:
        read = self._response.raw.read1 if self._tty else self._response.raw.read
        parts = log_frames.terminal_lines(read) if self._tty else log_frames.frames(read)
        with contextlib.suppress(*_STREAM_ENDS):
            for source, line in parts:
                yield engine_values.log_entry(source, line)

    def close(self) -> None:
        with contextlib.suppress(*_STREAM_ENDS):
            CancellableStream(iter(()), self._response).close()
        self._client.close()


# How a stream ends that the engine or `close` cut: none of these says more than "no more".
_STREAM_ENDS = (
    OSError,
    ValueError,
    AttributeError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    docker.errors.DockerException,
)


@contextlib.contextmanager
def _failures_named() -> Iterator[None]:
    """The SDK's exceptions as ours, with the engine's own words."""
    try:
        yield
    except docker.errors.APIError as error:
        raise _failure(error) from error
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        docker.errors.DockerException,
        OSError,
    ) as error:
        raise TemporaryFailure(
            f"the engine does not answer: {system_words(error)}", retry_after_seconds=RETRY_SECONDS
        ) from error


def _failure(error: docker.errors.APIError) -> Exception:
    status = error.response.status_code if error.response is not None else 0
    return failure_of(status, str(error.explanation or error).strip())


def _checked(response: requests.Response) -> requests.Response:
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


def _label_filter(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(labels.items())]


def _text(version: Iterable[int]) -> str:
    return ".".join(str(number) for number in version)
