"""A manager that speaks the agent protocol and nothing else: for tests of the agent's session.

It listens with mutual TLS on a port of the kernel's choice, remembers every frame of every agent,
and sends what a test tells it to. Frames are answered as far as the protocol demands it: Welcome to
Hello, an answer to each heartbeat; both can be switched off.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from aiohttp import WSMsgType, web

from stackctl.manager import certificates
from stackctl.manager.certificates import Authority, Subject
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import NodeRole
from stackctl.wire import agent_protocol, codec, join_token
from stackctl.wire.agent_protocol import (
    AgentFrame,
    AssignmentMessage,
    Dismissal,
    Heartbeat,
    HeartbeatAnswer,
    Hello,
    JoinRequest,
    JoinResponse,
    ManagerFrame,
    StatusReport,
    Welcome,
)
from stackctl.wire.api import ErrorBody
from tests.eventually import eventually

CLUSTER_ID = "testcluster"
WAIT_SECONDS = 15.0

Frame = TypeVar("Frame")


def write_identity(
    folder: Path,
    authority: Authority,
    *,
    node_id: str,
    role: Any = "worker",
    managers: tuple[str, ...] = (),
) -> None:
    """The identity files of a node of the test cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    key = certificates.create_key()
    certificate = certificates.issue_for_key(
        key,
        authority=authority,
        subject=Subject(node_id=node_id, role=role, cluster_id=CLUSTER_ID),
    )
    (folder / "node.key").write_bytes(key)
    (folder / "node.pem").write_bytes(certificate)
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    identity = {
        "node_id": node_id,
        "cluster_id": CLUSTER_ID,
        "role": role,
        "managers": list(managers),
    }
    (folder / "identity.json").write_bytes(codec.to_json(identity))


class FakeManager:
    """One manager. `async with FakeManager(…) as manager` listens until the block ends."""

    def __init__(
        self,
        authority: Authority,
        folder: Path,
        *,
        name: str = "manager",
        listen_address: str = "127.0.0.1",
    ) -> None:
        self.authority = authority
        self.name = name
        self.frames: list[AgentFrame] = []
        self.hellos: list[Hello] = []
        self.joins: list[JoinRequest] = []
        self.answers_heartbeats = True
        self.has_leader = True
        self.period_seconds = 0.2
        self.welcome_managers: tuple[str, ...] = ()
        self.cluster_id = CLUSTER_ID
        self.role = "manager"
        self.secret = bytes(16)
        self.dismissal: Dismissal | None = None  # what it says instead of a welcome
        self.renews_as = ""  # another node's id, for a manager that confuses nodes
        self._listen_address = listen_address
        self._folder = folder / f"identity-{name}"
        self._sockets: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        write_identity(self._folder, self.authority, node_id=self.name, role=self.role)
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def listen(self, port: int = 0) -> None:
        """Begin to listen; again on the same port after `stop`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(self._folder / "ca.pem")
        context.load_cert_chain(self._folder / "node.pem", self._folder / "node.key")
        application = web.Application()
        application.router.add_get("/v1/agent", self._agent)
        application.router.add_post("/v1/join", self._join)
        application.router.add_post("/v1/certificate", self._renew)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._listen_address, port, ssl_context=context)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self.drop_connections()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def drop_connections(self) -> None:
        for socket in self._sockets:
            await socket.close()
        self._sockets.clear()

    async def send(self, frame: ManagerFrame) -> None:
        """Send to the agent that connected last."""
        await self._sockets[-1].send_bytes(agent_protocol.encode_frame(frame))

    async def assign(self, assignment: AssignmentSet) -> None:
        """Send a whole set."""
        await self.send(
            AssignmentMessage(term=assignment.term, index=assignment.index, full=assignment)
        )

    async def until(
        self, check: Callable[[], Any], *, timeout_seconds: float = WAIT_SECONDS
    ) -> Any:
        """Wait, while the manager goes on working, until the check gives something true."""
        return await asyncio.to_thread(eventually, check, timeout_seconds=timeout_seconds)

    def of_kind(self, kind: type[Frame]) -> list[Frame]:
        """The frames of one kind, in order."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def states(self, task_id: str) -> list[str]:
        """The states reported of a task, in order, each once in a row."""
        found: list[str] = []
        for frame in self.of_kind(StatusReport):
            for report in frame.reports:
                name = report.status.state.name
                if report.task_id == task_id and found[-1:] != [name]:
                    found.append(name)
        return found

    def token(self) -> str:
        """A join token of this cluster."""
        certificate = ssl.PEM_cert_to_DER_cert(self.authority.certificate_pem.decode())
        digest = join_token.digest_of_authority(certificate)
        return join_token.render_join_token(
            join_token.JoinToken(authority_digest=digest, secret=self.secret)
        )

    async def _agent(self, request: web.Request) -> web.WebSocketResponse:
        assert request.transport is not None
        if not request.transport.get_extra_info("peercert"):
            raise web.HTTPForbidden
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        self._sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                break
            frame = agent_protocol.decode_agent_frame(message.data)
            self.frames.append(frame)
            answer = self._answer(frame)
            if answer is not None:
                await socket.send_bytes(agent_protocol.encode_frame(answer))
            if isinstance(frame, Hello):
                self.hellos.append(frame)
        return socket

    def _answer(self, frame: AgentFrame) -> ManagerFrame | None:
        if isinstance(frame, Hello) and self.dismissal is not None:
            return self.dismissal
        if isinstance(frame, Hello):
            return Welcome(
                cluster_id=self.cluster_id,
                manager_id=self.name,
                heartbeat_period_seconds=self.period_seconds,
                managers=self.welcome_managers,
            )
        if isinstance(frame, Heartbeat) and self.answers_heartbeats:
            return HeartbeatAnswer(sequence=frame.sequence, has_leader=self.has_leader)
        return None

    async def _renew(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert")
        subject = dict(part[0] for part in shown["subject"])
        wanted = codec.from_json(await request.read(), dict[str, str])
        certificate = certificates.sign_request(
            wanted["certificate_request"].encode(),
            authority=self.authority,
            subject=Subject(
                node_id=self.renews_as or subject["commonName"],
                role="worker",
                cluster_id=CLUSTER_ID,
            ),
        )
        return web.Response(body=codec.to_json({"certificate": certificate.decode()}))

    async def _join(self, request: web.Request) -> web.Response:
        wanted = codec.from_json(await request.read(), JoinRequest)
        self.joins.append(wanted)
        if join_token.parse_join_token(wanted.token).secret != self.secret:
            body = ErrorBody(kind="denied", message="the join token is not valid (any longer)")
            return web.Response(status=403, body=codec.to_json(body))
        certificate = certificates.sign_request(
            wanted.certificate_request.encode(),
            authority=self.authority,
            subject=Subject(node_id="joined", role="worker", cluster_id=CLUSTER_ID),
        )
        response = JoinResponse(
            node_id="joined",
            cluster_id=CLUSTER_ID,
            role=NodeRole.WORKER,
            certificate=certificate.decode(),
            authority=self.authority.certificate_pem.decode(),
            managers=(self.address,),
        )
        return web.Response(body=codec.to_json(response), content_type="application/json")
