"""What manager and agent say to each other over the agent's one WebSocket.

Every WebSocket message is one binary frame holding one msgpack-encoded union member, tagged by
`type`. The agent dials, over mutual TLS, `GET /v1/agent` on any manager; the certificate says which
node it is. The first frame is the agent's `Hello`, the answer `Welcome`. After that both sides send
when they have something to say:

    agent -> manager   Heartbeat every `heartbeat_period_seconds`; StatusReport when tasks change;
                       Applied once an assignment's network part (overlay, DNS, VIP and ingress
                       rules) is in force; Description when the node changes; LogChunk, StreamEnd;
                       ImageProgress while an image is fetched
    manager -> agent   AssignmentMessage when the node's assignment changes; HeartbeatAnswer;
                       OpenLogs, Credit, CloseStream; FetchImage

Flow control: a stream (logs, later exec) may send only as many bytes as it has credit for; the
receiver grants more as it consumes, so a log flood never delays an assignment. The initial credit
stands in the opening message.

Enrolment is a plain request before all this: `POST /v1/join` (JoinRequest -> JoinResponse, JSON)
over TLS without a client certificate; the joiner checks that the server's chain ends in a CA whose
digest stands in its join token.
"""

import msgspec

from stackctl.model.assignment import (
    AssignmentSet,
    ConfigAssignment,
    EndpointAssignment,
    IngressAssignment,
    Neighbour,
    NetworkAssignment,
    SecretAssignment,
    TaskAssignment,
)
from stackctl.model.objects import NodeDescription, NodeRole, TaskStatus
from stackctl.model.structs import Model

PROTOCOL_VERSION = 1
HEARTBEAT_PERIOD_SECONDS = 1.0


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """A tagged message of the agent protocol."""


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """First frame of an agent: who it is, and which assignment it already has."""

    protocol_version: int
    node_id: str
    description: NodeDescription
    term: int = 0  # fence of the assignment it holds; 0, 0 for none
    index: int = 0


class TaskReport(Model, frozen=True, kw_only=True):
    """The observed status of one task."""

    task_id: str
    status: TaskStatus


class StatusReport(Frame, frozen=True, kw_only=True, tag="status"):
    """Observed statuses, batched; the manager drops what is older than what it knows."""

    reports: tuple[TaskReport, ...]


class Heartbeat(Frame, frozen=True, kw_only=True, tag="heartbeat"):
    """The agent lives; `applied_index` is the newest assignment whose network part is in force."""

    sequence: int
    applied_index: int = 0


class Applied(Frame, frozen=True, kw_only=True, tag="applied"):
    """The network part of the assignment at `index` is in force: no backend it left out is balanced
    to.
    """

    index: int


class Description(Frame, frozen=True, kw_only=True, tag="description"):
    """The node itself changed."""

    description: NodeDescription


class LogChunk(Frame, frozen=True, kw_only=True, tag="log-chunk"):
    """A line of a task's output, or a piece of one over 16 KiB; costs len(text) credit."""

    stream_id: int
    task_id: str
    at: float  # seconds since the epoch, as the engine stamped it
    source: str  # stdout | stderr
    text: bytes  # without the line end


class StreamEnd(Frame, frozen=True, kw_only=True, tag="stream-end"):
    """The agent has nothing more to send on this stream; `error` says why when that is a fault."""

    stream_id: int
    error: str = ""


class ImageProgress(Frame, frozen=True, kw_only=True, tag="image-progress"):
    """How much of an image has come; StreamEnd follows the last one."""

    stream_id: int
    done_bytes: int
    size_bytes: int = 0  # 0 when it is not known


class Welcome(Frame, frozen=True, kw_only=True, tag="welcome"):
    """The manager's answer to Hello."""

    cluster_id: str
    manager_id: str
    heartbeat_period_seconds: float = HEARTBEAT_PERIOD_SECONDS
    managers: tuple[str, ...] = ()  # "address:port" of every manager's API, for the next time


class Dismissal(Frame, frozen=True, kw_only=True, tag="dismissal"):
    """Instead of a welcome: the node was removed from the cluster, and has nothing to run.

    Fenced like an assignment, by the term and index of the state that does not know the node.
    """

    cluster_id: str
    term: int
    index: int


class HeartbeatAnswer(Frame, frozen=True, kw_only=True, tag="heartbeat-answer"):
    """Lets the agent tell a live manager from a dead connection; without a leader it should look
    elsewhere.
    """

    sequence: int
    has_leader: bool = True


class AssignmentIncrement(Model, frozen=True, kw_only=True):
    """What to change in the set at `base_index` to get the set at `index`: full objects to put,
    keys to drop.
    """

    base_index: int
    put_tasks: tuple[TaskAssignment, ...] = ()
    put_networks: tuple[NetworkAssignment, ...] = ()
    put_neighbours: tuple[Neighbour, ...] = ()
    put_endpoints: tuple[EndpointAssignment, ...] = ()
    put_ingress: tuple[IngressAssignment, ...] = ()
    put_configs: tuple[ConfigAssignment, ...] = ()
    put_secrets: tuple[SecretAssignment, ...] = ()
    drop_tasks: tuple[str, ...] = ()
    drop_networks: tuple[str, ...] = ()
    drop_neighbours: tuple[tuple[str, str], ...] = ()
    drop_endpoints: tuple[tuple[str, str], ...] = ()
    drop_ingress: tuple[tuple[int, str], ...] = ()
    drop_configs: tuple[str, ...] = ()
    drop_secrets: tuple[str, ...] = ()


class AssignmentMessage(Frame, frozen=True, kw_only=True, tag="assignment"):
    """A new assignment: `full`, or `increment` on top of the set the agent acknowledged by applying
    it in order.
    """

    term: int
    index: int
    full: AssignmentSet | None = None
    increment: AssignmentIncrement | None = None


class OpenLogs(Frame, frozen=True, kw_only=True, tag="open-logs"):
    """Start sending the output of these tasks on `stream_id`."""

    stream_id: int
    task_ids: tuple[str, ...]
    follow: bool = False
    tail: int | None = None  # last lines per task; None is all
    since: float = 0
    until: float = 0
    credit_bytes: int = 1 << 18


class FetchImage(Frame, frozen=True, kw_only=True, tag="fetch-image"):
    """A task will want this image of the cluster's own: fetch it now, and say on the stream how it
    goes.
    """

    stream_id: int
    image: str


class Credit(Frame, frozen=True, kw_only=True, tag="credit"):
    """The stream may send this many bytes more."""

    stream_id: int
    credit_bytes: int


class CloseStream(Frame, frozen=True, kw_only=True, tag="close-stream"):
    """Nobody reads this stream any longer."""

    stream_id: int


AgentFrame = (
    Hello | StatusReport | Heartbeat | Applied | Description | LogChunk | StreamEnd | ImageProgress
)
ManagerFrame = (
    Welcome
    | Dismissal
    | HeartbeatAnswer
    | AssignmentMessage
    | OpenLogs
    | Credit
    | CloseStream
    | FetchImage
)

_encode = msgspec.msgpack.Encoder()
_decode_agent: msgspec.msgpack.Decoder[AgentFrame] = msgspec.msgpack.Decoder(AgentFrame)
_decode_manager: msgspec.msgpack.Decoder[ManagerFrame] = msgspec.msgpack.Decoder(ManagerFrame)


class ProtocolError(ValueError):
    """The other side sent something that is no frame of this protocol."""


def encode_frame(frame: AgentFrame | ManagerFrame) -> bytes:
    """The bytes of one WebSocket message."""
    return _encode.encode(frame)


def decode_agent_frame(data: bytes) -> AgentFrame:
    """A frame that an agent sent. Raises ProtocolError."""
    try:
        return _decode_agent.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ProtocolError(f"not a frame of an agent: {error}") from error


def decode_manager_frame(data: bytes) -> ManagerFrame:
    """A frame that a manager sent. Raises ProtocolError."""
    try:
        return _decode_manager.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ProtocolError(f"not a frame of a manager: {error}") from error


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enrolment of a node: the token proves the right, the request carries the public key."""

    token: str
    hostname: str
    certificate_request: str  # PEM
    raft_address: str = ""  # "address:port"; a joining manager's listener for the other managers


class JoinResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What the new node needs to take part."""

    node_id: str
    cluster_id: str
    role: NodeRole
    certificate: str  # PEM
    authority: str  # PEM of the CA
    authority_key: str = ""  # PEM; managers only
    data_key: str = ""  # hexadecimal; managers only: what secrets are sealed with
    managers: tuple[str, ...] = ()  # "address:port" of every manager's API
    members: tuple[tuple[str, str], ...] = ()  # managers only: (node id, raft address)
