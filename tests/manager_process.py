"""Managers as processes on loopback addresses, and a plain client for their unix sockets.

Every manager has an address of its own in 127.0.0.0/8, chosen from the process id, so that several
test runs can share a machine.
"""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from stackctl.wire import codec
from tests.eventually import eventually

_numbers = itertools.count(1)


def fresh_address() -> str:
    """A loopback address that no other manager of this test run has."""
    number = next(_numbers)
    return f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250}.{number % 250 + 1}"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("local", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class ManagerProcess:
    """One `stackctl-manager`."""

    def __init__(self, folder: Path, hostname: str, *flags: str) -> None:
        self.folder = folder
        self.hostname = hostname
        self.address = fresh_address()
        self.flags = list(flags)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def api_address(self) -> str:
        return f"{self.address}:2477"

    @property
    def socket_path(self) -> Path:
        return self.folder / "run" / "manager.sock"

    @property
    def identity_dir(self) -> Path:
        return self.folder / "state" / "identity"

    @property
    def node_id(self) -> str:
        return str(json.loads((self.identity_dir / "identity.json").read_text())["node_id"])

    def start(self, *flags: str) -> "ManagerProcess":
        self.folder.mkdir(parents=True, exist_ok=True)
        code = "from stackctl.manager.daemon import run; run()"
        command = [
            *(sys.executable, "-c", code),
            *("--state-dir", str(self.folder / "state"), "--run-dir", str(self.folder / "run")),
            *("--hostname", self.hostname, "--advertise-address", self.address),
            *("--log-level", "debug"),
            *self.flags,
            *flags,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        return self

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ends it as systemd does; the exit code."""
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def ask(self, method: str, path: str, body: object = None, *, timeout: float = 15) -> Any:
        """The decoded answer; an AssertionError when it is a refusal."""
        status, content = self.try_to_ask(method, path, body, timeout=timeout)
        assert status < 400, f"{method} {path}: {status} {content}"
        return content

    def try_to_ask(
        self, method: str, path: str, body: object = None, *, timeout: float = 15
    ) -> tuple[int, Any]:
        """Status and decoded answer. Raises OSError."""
        connection = UnixConnection(self.socket_path, timeout)
        try:
            content = codec.to_json(body) if body is not None else None
            connection.request(method, path, body=content)
            response = connection.getresponse()
            text = response.read()
            if response.headers.get_content_type() == "application/x-ndjson":
                return response.status, [json.loads(line) for line in text.splitlines()]
            return response.status, msgspec.json.decode(text) if text else None
        finally:
            connection.close()

    def wait_until_it_answers(self, *, timeout_seconds: float = 20) -> "ManagerProcess":
        """Waits until it knows a leader and itself."""

        def answers() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.hostname} ended: {self.log()}")
            try:
                nodes = self.ask("GET", "/v1/nodes")
            except (OSError, http.client.HTTPException) as error:
                raise AssertionError(str(error)) from error
            return any(node["is_self"] for node in nodes)

        eventually(answers, timeout_seconds=timeout_seconds)
        return self
