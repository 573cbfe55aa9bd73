"""What BuildKit is answered in a session: secrets, credentials, keys of an agent."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackctl.compose.parts.attachments import SecretUse
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.objects import Secret
from stackctl.compose.problems import Place, Position
from stackctl.errors import InputError
from stackctl.local.building.agent_forwarding import agent_services
from stackctl.local.building.build_request import ImageBuild
from stackctl.local.building.grpc_connection import GrpcConnection, Status
from stackctl.local.building.lending import lent_agents, lent_secrets, unheeded_modes
from stackctl.local.building.protobuf import Message, encode
from stackctl.local.building.session_services import build_services
from stackctl.local.credentials import Credentials
from tests.fakes.grpc_caller import GrpcCaller

PLACE = Place(Position("compose.yaml", 3, 5), ("services", "web", "build"))
SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
LOGIN = "/moby.filesync.v1.Auth/Credentials"
CHECK = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD = "/moby.sshforward.v1.SSH/ForwardAgent"
KEYS = b"\x00\x00\x00\x05\x0c\x00\x00\x00\x00"


@contextmanager
def session(folder: Path, agents: dict[str, str] | None = None) -> Iterator[GrpcCaller]:
    credentials = Credentials({"DOCKER_CONFIG": str(folder)})
    methods = build_services({"token": b"s3cret\n"}, credentials) | agent_services(agents or {})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = GrpcConnection(ours, methods)
        connection.start()
        yield GrpcCaller(theirs)
        connection.close()


def write_logins(folder: Path, **auths: str) -> None:
    encoded = {host: {"auth": base64.b64encode(it.encode()).decode()} for host, it in auths.items()}
    (folder / "config.json").write_text(json.dumps({"auths": encoded}))


def test_a_session_lives_and_gives_the_secrets_that_were_lent(tmp_path: Path) -> None:
    with session(tmp_path) as caller:
        assert caller.call("/grpc.health.v1.Health/Check").answers == (encode((1, 1)),)
        assert caller.call(SECRET, (encode((1, "token")),)).answers == (encode((1, b"s3cret\n")),)
        refused = caller.call(SECRET, (encode((1, "other")),))
        assert refused == (Status.NOT_FOUND, "build.secrets does not name other", ())


def test_a_registry_gets_its_own_login_and_others_none(tmp_path: Path) -> None:
    write_logins(tmp_path, **{"example.org": "me:pw", "https://index.docker.io/v1/": "hub:word"})

    def login(caller: GrpcCaller, host: str) -> tuple[str, str]:
        (answer,) = caller.call(LOGIN, (encode((1, host)),)).answers
        return Message(answer).text(1), Message(answer).text(2)

    with session(tmp_path) as caller:
        assert login(caller, "example.org") == ("me", "pw")
        assert login(caller, "registry-1.docker.io") == ("hub", "word")
        assert login(caller, "example.com") == ("", "")


class FakeAgent:
    """An ssh agent without keys; it notes what it is asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[bytes] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            while head := connection.recv(4, socket.MSG_WAITALL):
                content = connection.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
                self.asked.append(content)
                connection.sendall(KEYS)

    def close(self) -> None:
        self._thread.join(5)
        self._listening.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[FakeAgent, str]]:
    found = FakeAgent(tmp_path / "agent")
    yield found, str(tmp_path / "agent")
    found.close()


def piece(content: bytes) -> bytes:
    return encode((1, content))


def test_an_agent_lists_and_signs_and_is_not_changed(
    tmp_path: Path, agent: tuple[FakeAgent, str]
) -> None:
    found, path = agent
    refused = piece(b"\x00\x00\x00\x01\x05")
    with session(tmp_path, {"default": path}) as caller:
        assert caller.call(CHECK, (encode((1, "default")),)).status == Status.OK
        pieces = (
            piece(b"\x00\x00\x00\x01\x0b"),
            piece(b"\x00\x00\x00\x01\x13\x00\x00"),  # remove all keys, and a part of what follows
            piece(b"\x00\x02\x0dx"),
        )
        outcome = caller.call(FORWARD, pieces, {"buildkit.ssh.id": "default"})
    assert outcome == (0, "", (piece(KEYS), refused, piece(KEYS)))
    assert found.asked == [b"\x0b", b"\x0dx"]


def test_an_agent_that_was_not_lent_or_is_gone_is_named(tmp_path: Path) -> None:
    with session(tmp_path, {"default": str(tmp_path / "gone")}) as caller:
        other = caller.call(CHECK, (encode((1, "other")),))
        assert other == (Status.NOT_FOUND, "build.ssh does not name other", ())
        gone = caller.call(FORWARD, (), {"buildkit.ssh.id": "default"})
        assert gone.status == Status.UNKNOWN
        assert "No such file" in gone.message


def wanted(
    *secrets: SecretUse, ssh: dict[str, str] | None = None, content: bytes | None = b"x"
) -> ImageBuild:
    build = Build(PLACE, "/app", secrets=secrets, ssh=ssh or {})
    return ImageBuild("web", build, "i", secrets={"s": Secret("s", PLACE, "s", data=content)})


def test_a_secret_is_lent_under_its_key_and_its_target() -> None:
    plain = SecretUse("s", PLACE, "/run/secrets/s")
    named = SecretUse("s", PLACE, "/run/secrets/token", mode=0o400)
    assert lent_secrets(wanted(plain)) == {"s": b"x"}
    assert lent_secrets(wanted(named)) == {"s": b"x", "token": b"x"}
    assert unheeded_modes(wanted(plain)) == ()
    assert unheeded_modes(wanted(named)) == ("s",)
    with pytest.raises(InputError, match="the content of its secret s is not known"):
        lent_secrets(wanted(plain, content=None))


def test_an_agent_is_lent_when_it_is_one(tmp_path: Path, agent: tuple[FakeAgent, str]) -> None:
    _, path = agent
    with socket.socket(socket.AF_UNIX) as somebody:
        somebody.connect(path)
    build = wanted(ssh={"default": "", "other": path})
    assert lent_agents(build, {"SSH_AUTH_SOCK": path}) == {"default": path, "other": path}
    (tmp_path / "key").write_text("PRIVATE")
    for ssh, words in (
        ({"default": ""}, "SSH_AUTH_SOCK names none"),
        ({"default": str(tmp_path / "nowhere")}, "No such file"),
        ({"default": str(tmp_path / "key")}, "no agent's socket"),
    ):
        with pytest.raises(InputError, match=words):
            lent_agents(wanted(ssh=ssh), {})
