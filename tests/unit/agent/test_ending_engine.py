"""An engine that is being shut down: it still answers on old connections, with odd refusals."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agent.drivers.docker_engine import DockerEngine
from stackctl.errors import PermanentFailure, TemporaryFailure

REFUSAL = "failed to update store for object type *libnetwork.endpoint"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open between calls

    def do_GET(self) -> None:
        self._answer(200, {"ApiVersion": "1.41"})

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        self._answer(500, {"message": REFUSAL})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    """The socket of an engine; who removes it lets nobody new in."""
    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_a_refusal_of_an_engine_that_is_being_shut_down_is_tried_again(door: Path) -> None:
    """The task that followed a stopped one failed, and an update with it."""
    engine = DockerEngine(f"unix://{door}")
    try:
        with pytest.raises(PermanentFailure, match="failed to update store"):
            engine.start("c1")
        door.unlink()
        with pytest.raises(TemporaryFailure, match="is shutting down: failed to update store"):
            engine.start("c1")
    finally:
        engine.close()
