"""A cluster of member programs on loopback: started, asked, killed, frozen, wiped by tests."""

import contextlib
import itertools
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from stackctl.manager import certificates
from stackctl.manager.identity import IdentityDirectory, Role
from tests.eventually import eventually

_REPOSITORY = Path(__file__).parents[2]


class MemberProcess:
    """One member program; requests may be in flight concurrently."""

    def __init__(self, settings_path: Path, error_path: Path) -> None:
        with error_path.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.consensus_member", str(settings_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=_REPOSITORY,
            )
        self._numbers = itertools.count(1)
        self._started: Future[Any] = Future()
        self._answers: dict[int, Future[Any]] = {0: self._started}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_started(self) -> None:
        """Raises AssertionError with what the program said when it refused to start."""
        answer = self._started.result(10)
        assert answer == "started", answer

    def send(self, do: str, **request: Any) -> Future[Any]:
        """Ask; the future ends with ConnectionError when the program ends first."""
        number = next(self._numbers)
        future: Future[Any] = Future()
        self._answers[number] = future
        line = json.dumps({"id": number, "do": do, **request}) + "\n"
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            self._fail_all()
        return future

    def ask(self, do: str, **request: Any) -> Any:
        """Ask and wait."""
        return self.send(do, **request).result(15)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As a crash: no goodbye."""
        self._process.kill()
        self._end()

    def stop(self) -> None:
        """As an operator: it may hand over and close its files."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._end()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _end(self) -> None:
        self._process.wait(15)
        self._reader.join(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                # What was buffered for a killed program cannot be written any more.
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            future = self._answers.pop(answer["id"], None)
            if future is not None:
                future.set_result(answer["result"])
        self._fail_all()

    def _fail_all(self) -> None:
        for number in list(self._answers):
            future = self._answers.pop(number, None)
            if future is not None and not future.done():
                future.set_exception(ConnectionError("the member program ended"))


class Cluster:
    """Members by node id, with one authority."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self._directory = directory
        self._settings = settings
        self._authority = certificates.create_cluster_authority()
        self.addresses: dict[str, str] = {}
        self.running: dict[str, MemberProcess] = {}

    def prepare(self, node_id: str, *, role: Role = "manager") -> str:
        """Give a node an identity and an address; returns the address."""
        key_pem = certificates.create_key()
        subject = certificates.Subject(node_id=node_id, role=role, cluster_id="test-cluster")
        identity = IdentityDirectory(self._directory / node_id / "identity")
        identity.write_authority(
            certificate_pem=self._authority.certificate_pem, key_pem=self._authority.key_pem
        )
        certificate_pem = certificates.issue_for_key(
            key_pem, authority=self._authority, subject=subject
        )
        identity.write_node(certificate_pem=certificate_pem, key_pem=key_pem)
        self.addresses[node_id] = f"127.0.0.1:{free_port()}"
        return self.addresses[node_id]

    def form(self, *node_ids: str) -> None:
        """Members that begin together."""
        for node_id in node_ids:
            self.prepare(node_id)
        for node_id in node_ids:
            self.start(node_id, members=node_ids, wait=False)
        for node_id in node_ids:
            self.running[node_id].wait_started()

    def start(
        self, node_id: str, *, members: tuple[str, ...] = (), wait: bool = True, **settings: Any
    ) -> MemberProcess:
        """Start a member program; `members` matters at its first start only."""
        path = self._directory / node_id / "settings.json"
        known = members or tuple(self.addresses)
        content = {
            "node_id": node_id,
            "listen": self.addresses[node_id],
            "members": [[each, self.addresses[each]] for each in known],
            "directory": str(self.storage(node_id)),
            "identity": str(self._directory / node_id / "identity"),
            **self._settings,
            **settings,
        }
        path.write_text(json.dumps(content))
        process = MemberProcess(path, self._directory / node_id / "errors")
        self.running[node_id] = process
        if wait:
            process.wait_started()
        return process

    def storage(self, node_id: str) -> Path:
        return self._directory / node_id / "raft"

    def wipe(self, node_id: str) -> None:
        shutil.rmtree(self.storage(node_id))

    def kill(self, node_id: str) -> None:
        self.running.pop(node_id).kill()

    def stop(self, node_id: str) -> None:
        self.running.pop(node_id).stop()

    def leader(self, *, among: tuple[str, ...] = ()) -> str:
        """The node id on which everyone asked agrees."""

        def agreed() -> str:
            asked = among or tuple(self.running)
            statuses = {each: self.running[each].ask("status") for each in asked}
            leaders = {status["leader"] for status in statuses.values()}
            leader = leaders.pop() if len(leaders) == 1 else None
            is_sure = leader in statuses and statuses[leader]["is_leader"]
            return str(leader) if is_sure else ""

        return eventually(agreed, timeout_seconds=10, period_seconds=0.02)

    def followers(self) -> list[str]:
        leader = self.leader()
        return sorted(node_id for node_id in self.running if node_id != leader)

    def wait_equal(self, *, count: int | None = None) -> dict[str, Any]:
        """All running members hold the same state; returns its status."""

        def same() -> dict[str, Any]:
            statuses: list[dict[str, Any]] = [
                process.ask("status") for process in self.running.values()
            ]
            assert len({status["digest"] for status in statuses}) == 1, statuses
            assert len({tuple(status["members"]) for status in statuses}) == 1, statuses
            assert count is None or statuses[0]["count"] == count, statuses
            return statuses[0]

        return eventually(same, timeout_seconds=10, period_seconds=0.02)

    def close(self) -> None:
        for process in self.running.values():
            process.thaw()
            process.kill()
        self.running.clear()

    def errors(self) -> Iterator[str]:
        """What the programs logged."""
        for path in sorted(self._directory.glob("*/errors")):
            yield f"{path.parent.name}: {path.read_text()}"


def free_port() -> int:
    """A port of loopback that nothing uses at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
