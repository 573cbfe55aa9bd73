"""Questions to the lab's engines and managers over their unix sockets.

The standard library's HTTP client with another way to connect: the lab asks four questions, and
the Docker SDK would cost more to import than all of them take.
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from stackctl.lab.tools import LabFailure

_LOAD_TIMEOUT_SECONDS = 300


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def fetch_json(path: Path, resource: str, *, timeout_seconds: float = 2) -> Any:
    """The JSON behind `GET resource`; None when nobody answers, or not with status 200."""
    try:
        with _request(path, "GET", resource, timeout_seconds=timeout_seconds) as response:
            return json.load(response) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def engine_answers(engine_socket: Path, *, timeout_seconds: float = 2) -> bool:
    try:
        with _request(engine_socket, "GET", "/_ping", timeout_seconds=timeout_seconds) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


def image_id(engine_socket: Path, tag: str) -> str | None:
    """The id of the image that an engine has under `tag`; None when it has none."""
    found = fetch_json(engine_socket, f"/images/{quote(tag, safe='/:@')}/json")
    return str(found["Id"]) if found is not None else None


def load_images(engine_socket: Path, archive: Path) -> None:
    """Send an archive to an engine; raises `LabFailure` with the engine's words."""
    size = str(archive.stat().st_size)
    headers = {"Content-Type": "application/x-tar", "Content-Length": size}
    try:
        with (
            archive.open("rb") as stream,
            _request(
                *(engine_socket, "POST", "/images/load?quiet=1"),
                body=stream,
                headers=headers,
                timeout_seconds=_LOAD_TIMEOUT_SECONDS,
            ) as response,
        ):
            answer = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise LabFailure(f"{archive} could not be sent to {engine_socket}: {error}") from error
    # The engine answers 200 before it reads, and reports what goes wrong as a line of the body.
    if response.status != 200 or '"error"' in answer:
        raise LabFailure(f"{archive} was refused by {engine_socket}: {answer.strip()}")


def save_image(engine_socket: Path, tag: str, destination: Path) -> None:
    """Write the archive of an engine's image to `destination`; raises `LabFailure`."""
    resource = f"/images/get?names={quote(tag, safe='')}"
    try:
        with (
            _request(
                engine_socket, "GET", resource, timeout_seconds=_LOAD_TIMEOUT_SECONDS
            ) as response,
            destination.open("wb") as stream,
        ):
            while part := response.read(1 << 20):
                stream.write(part)
    except (OSError, http.client.HTTPException) as error:
        raise LabFailure(f"{tag} could not be taken from {engine_socket}: {error}") from error


@contextlib.contextmanager
def _request(
    path: Path,
    method: str,
    resource: str,
    *,
    timeout_seconds: float,
    body: IO[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[http.client.HTTPResponse]:
    connection = _UnixConnection(path, timeout_seconds)
    try:
        connection.request(method, resource, body=body, headers=headers or {})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()
