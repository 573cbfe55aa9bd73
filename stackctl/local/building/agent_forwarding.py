"""The caller's ssh agent, lent to a build: `RUN --mount=type=ssh` talks to it through us.

A build may list keys and have things signed, nothing else: a Dockerfile that somebody else wrote
must not be able to add keys, to remove them, or to lock the agent. Everything else is answered
with a failure here, and never reaches the agent.
"""

import socket
from collections.abc import Iterator, Mapping
from functools import partial

from stackctl.local.building.grpc_connection import Call, CallRefused, Handler, Status
from stackctl.local.building.protobuf import Message, encode

_DEFAULT = "default"
_LENGTH_BYTES = 4
_MESSAGE_BYTES_MAX = 256 * 1024  # an agent's own limit
_TIMEOUT_SECONDS = 60.0  # an agent may ask for a touch or a word
_LIST_KEYS, _SIGN = 11, 13
_FAILURE = b"\x00\x00\x00\x01\x05"


def agent_services(agents: Mapping[str, str]) -> dict[str, Handler]:
    """Handlers by the paths of their methods; `agents` are sockets by the ids of mounts."""
    return {
        "/moby.sshforward.v1.SSH/CheckAgent": partial(_check, agents),
        "/moby.sshforward.v1.SSH/ForwardAgent": partial(_forward, agents),
    }


def _check(agents: Mapping[str, str], call: Call) -> None:
    request = call.receive()
    if request is not None:
        _path(agents, Message(request).text(1))
        call.send(b"")


def _path(agents: Mapping[str, str], name: str) -> str:
    path = agents.get(name or _DEFAULT)
    if path is None:
        raise CallRefused(Status.NOT_FOUND, f"build.ssh does not name {name or _DEFAULT}")
    return path


def _forward(agents: Mapping[str, str], call: Call) -> None:
    path = _path(agents, call.metadata.get("buildkit.ssh.id", ""))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(_TIMEOUT_SECONDS)
        try:
            agent.connect(path)
            for request in _requests(call):
                call.send(encode((1, _answer(agent, request))))
        except OSError as error:
            reason = error.strerror or error
            raise CallRefused(Status.UNKNOWN, f"ssh agent {path}: {reason}") from error


def _requests(call: Call) -> Iterator[bytes]:
    """The agent's messages, which may come in any pieces."""
    pending = bytearray()
    for message in call.messages():
        pending += Message(message).content(1)
        while len(pending) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + _checked_length(pending[:_LENGTH_BYTES])
            if len(pending) < end:
                break
            yield bytes(pending[:end])
            del pending[:end]


def _answer(agent: socket.socket, request: bytes) -> bytes:
    if request[_LENGTH_BYTES : _LENGTH_BYTES + 1] not in (bytes([_LIST_KEYS]), bytes([_SIGN])):
        return _FAILURE
    agent.sendall(request)
    head = _exactly(agent, _LENGTH_BYTES)
    return head + _exactly(agent, _checked_length(head))


def _checked_length(head: bytes | bytearray) -> int:
    length = int.from_bytes(head, "big")
    if length > _MESSAGE_BYTES_MAX:
        raise CallRefused(Status.UNKNOWN, "a message that no ssh agent sends or takes")
    return length


def _exactly(agent: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = agent.recv(size - len(found))
        if not piece:
            raise OSError("it hung up")
        found += piece
    return bytes(found)
