"""One member of the replicated log as a program of its own, for tests that kill processes.

    python -m tests.contract.consensus_member SETTINGS.json

Settings and requests are JSON; requests come on stdin, one a line, answers go to stdout, one a
line, in any order. The state machine is a list of texts.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from stackctl.errors import StackctlError
from stackctl.manager.consensus import Consensus, ConsensusSettings, Leadership, Member
from stackctl.manager.identity import IdentityDirectory


class TextList:
    """A state machine that keeps every entry; its answer is how many there are."""

    def __init__(self, chunk_seconds: float) -> None:
        self.texts: list[bytes] = []
        self._chunk_seconds = chunk_seconds
        self._never = threading.Event()

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        if entry == b"raise":
            raise ValueError("an entry that cannot be applied")
        self.texts.append(entry)
        return str(len(self.texts)).encode()

    def capture(self) -> Callable[[], Iterator[bytes]]:
        texts = tuple(self.texts)
        return lambda: self._encode(texts)

    def _encode(self, texts: tuple[bytes, ...]) -> Iterator[bytes]:
        for start in range(0, len(texts), 20):
            self._never.wait(self._chunk_seconds)  # a disk that is slow
            yield json.dumps([text.decode() for text in texts[start : start + 20]]).encode()

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.texts = [text.encode() for chunk in chunks for text in json.loads(chunk)]

    def digest(self) -> str:
        return hashlib.sha256(b"\n".join(self.texts)).hexdigest()


class Program:
    """Requests in, answers out."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._machine = TextList(settings.pop("chunk_seconds", 0.0))
        identity = IdentityDirectory(Path(settings.pop("identity")))
        members = tuple(Member(*member) for member in settings.pop("members"))
        directory = Path(settings.pop("directory"))
        self._output = threading.Lock()
        self.consensus = Consensus(
            ConsensusSettings(
                members=members, directory=directory, tls=identity.tls_files(), **settings
            ),
            self._machine,
            on_leadership=self._tell_leadership,
        )

    def _tell_leadership(self, leadership: Leadership) -> None:
        self.answer(None, {"leader": leadership.leader_id, "term": leadership.term})

    def answer(self, request_id: int | None, result: Any) -> None:
        line = json.dumps({"id": request_id, "result": result})
        with self._output:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def handle(self, request: dict[str, Any]) -> None:
        kind, request_id = request["do"], request["id"]
        timeout_seconds = request.get("timeout_seconds", 10.0)
        consensus = self.consensus
        if kind == "status":
            self.answer(request_id, self._status())
        elif kind == "texts":
            self.answer(request_id, [text.decode() for text in self._machine.texts])
        elif kind == "propose":
            future: Future[Any] = consensus.propose(
                request["entry"].encode(), key=request["key"], timeout_seconds=timeout_seconds
            )
            self._answer_later(request_id, future)
        elif kind == "barrier":
            future = consensus.read_barrier(timeout_seconds=timeout_seconds)
            self._answer_later(request_id, future)
        elif kind == "add":
            member = Member(request["node_id"], request["address"])
            future = consensus.add_member(member, timeout_seconds=timeout_seconds)
            self._answer_later(request_id, future)
        elif kind == "remove":
            future = consensus.remove_member(request["node_id"], timeout_seconds=timeout_seconds)
            self._answer_later(request_id, future)

    def _status(self) -> dict[str, Any]:
        leadership = self.consensus.leadership()
        return {
            "leader": leadership.leader_id,
            "is_leader": leadership.is_leader,
            "term": leadership.term,
            "applied": self.consensus.applied_index(),
            "members": sorted(member.node_id for member in self.consensus.members()),
            "count": len(self._machine.texts),
            "digest": self._machine.digest(),
        }

    def _answer_later(self, request_id: int, future: "Future[Any]") -> None:
        future.add_done_callback(lambda done: self._answer_done(request_id, done))

    def _answer_done(self, request_id: int, future: "Future[Any]") -> None:
        error = future.exception()
        if error is not None:
            self.answer(request_id, {"error": type(error).__name__, "message": str(error)})
            return
        result = future.result()
        self.answer(request_id, result.decode() if isinstance(result, bytes) else result)


def main() -> None:
    program = Program(json.loads(Path(sys.argv[1]).read_text()))
    try:
        program.consensus.start()
    except StackctlError as error:
        program.answer(0, {"error": type(error).__name__, "message": str(error)})
        sys.exit(error.exit_code)
    program.answer(0, "started")
    for line in sys.stdin:
        program.handle(json.loads(line))
    program.consensus.stop()


if __name__ == "__main__":
    main()
