"""The calls to one engine: JSON in, JSON out, or streams.

Paths carry no version, so that each engine answers in its own; what depends on the version asks for
`api_version`. Refusals are `EngineRefusal` in the engine's own words.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from stackctl.local.engine.endpoint import Endpoint
from stackctl.local.engine.http import ANSWER_TIMEOUT_SECONDS, Answer, Request, send
from stackctl.local.failures import EngineRefusal

Json = Any
Query = Mapping[str, object]


class Engine:
    """One engine. May be used from several threads at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._version: tuple[int, int] | None = None
        self._lock = threading.Lock()

    @property
    def api_version(self) -> tuple[int, int]:
        """The newest version of the API that the engine speaks. Raises EngineUnavailable."""
        with self._lock:
            known = self._version
        if known is None:
            self.get("/_ping")
            known = self._version
        return known or (1, 24)

    def get(self, path: str, query: Query | None = None) -> Json:
        """The answer as JSON (text where it is none). Raises EngineRefusal, EngineUnavailable."""
        return _decoded(self.open(Request("GET", with_query(path, query))))

    def post(
        self,
        path: str,
        body: object = None,
        query: Query | None = None,
        *,
        timeout_seconds: float | None = ANSWER_TIMEOUT_SECONDS,
    ) -> Json:
        """As `get`, changing something; `body` is sent as JSON."""
        content = None if body is None else json.dumps(body).encode()
        return _decoded(
            self.open(
                Request("POST", with_query(path, query), content, timeout_seconds=timeout_seconds)
            )
        )

    def delete(self, path: str, query: Query | None = None) -> Json:
        """As `get`, removing something."""
        return _decoded(self.open(Request("DELETE", with_query(path, query), timeout_seconds=None)))

    def put_archive(self, container: str, folder: str, archive: bytes | Iterable[bytes]) -> None:
        """Unpack a tar archive in a container's folder, keeping owners."""
        path = with_query(f"/containers/{container}/archive", {"path": folder, "copyUIDGID": 1})
        request = Request("PUT", path, archive, "application/x-tar", timeout_seconds=None)
        _decoded(self.open(request))

    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | Iterable[bytes] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An answer that is read as it comes, without a limit in time; the caller closes it.

        Raises EngineRefusal, EngineUnavailable.
        """
        return self.open(
            Request(
                method,
                with_query(path, query),
                body,
                content_type,
                headers or {},
                timeout_seconds=None,
            )
        )

    def hijack(self, path: str, query: Query | None = None, body: object = None) -> Answer:
        """A connection in both directions (attach, exec start): see `Answer.take_over`."""
        content = json.dumps(body).encode() if body is not None else b""
        return self.open(
            Request("POST", with_query(path, query), content, timeout_seconds=None, upgrades=True)
        )

    def open(self, request: Request) -> Answer:
        """Send a request. Every call goes through here. Raises EngineRefusal, EngineUnavailable."""
        answer = send(self.endpoint, request)
        self._note_version(answer)
        if answer.status >= 400:
            raise EngineRefusal(_message(answer), status=answer.status)
        return answer

    def _note_version(self, answer: Answer) -> None:
        major, _, minor = answer.headers.get("api-version", "").partition(".")
        if major.isdigit() and minor.isdigit():
            with self._lock:
                self._version = (int(major), int(minor))


def with_query(path: str, query: Query | None) -> str:
    """The path with a query; lists and mappings are JSON, booleans 1 and 0, None is left out."""
    path = quote(path, safe="/:@+,=~!")
    pairs = [(key, _query_text(value)) for key, value in (query or {}).items() if value is not None]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _decoded(answer: Answer) -> Json:
    content = answer.read()
    if not content:
        return None
    if answer.headers.get("content-type", "").startswith("application/json"):
        return json.loads(content)
    return content.decode("utf-8", "replace")


def _message(answer: Answer) -> str:
    content = answer.read()
    try:
        message = json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        message = content.decode("utf-8", "replace").strip() or f"HTTP {answer.status}"
    return str(message).strip()
