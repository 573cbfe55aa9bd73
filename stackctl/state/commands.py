"""Commands: the only things that change cluster state. Each is one whole user intention or round.

A command carries the time it was made at and, where it creates objects, a random seed from which
whoever applies it derives the same ids. Bytes of a command start with the version of this encoding.
"""

from collections.abc import Mapping

import msgspec

from stackctl.model import objects, specs
from stackctl.state.changes import Change
from stackctl.wire.agent_protocol import TaskReport

ENCODING_VERSION = 1


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """A tagged member of the union; `now` is seconds since the epoch."""

    now: float


class InitCluster(_Command, frozen=True, kw_only=True, tag="init-cluster"):
    """The first command of a cluster's log."""

    cluster_id: str
    worker_secret: str
    manager_secret: str
    authority_digest: str


class PutNode(_Command, frozen=True, kw_only=True, tag="put-node"):
    """A node was admitted."""

    node_id: str
    role: objects.NodeRole
    hostname: str


class SeeNode(_Command, frozen=True, kw_only=True, tag="see-node"):
    """A node's agent opened a session with a manager, or described itself anew."""

    node_id: str
    manager_id: str
    description: objects.NodeDescription


class LoseNode(_Command, frozen=True, kw_only=True, tag="lose-node"):
    """The leader of `term` heard nothing of a node's agent for too long.

    `state` is DOWN, or UNKNOWN while the node itself still answers: then its tasks run on.
    """

    node_id: str
    term: int
    message: str
    state: objects.NodeState = objects.NodeState.DOWN


class ChangeNode(_Command, frozen=True, kw_only=True, tag="change-node"):
    """The operator changes a node: what is None stays."""

    node_id: str
    availability: objects.Availability | None = None
    label_add: Mapping[str, str] = {}
    label_remove: tuple[str, ...] = ()


class RemoveNode(_Command, frozen=True, kw_only=True, tag="remove-node"):
    """The operator takes a node out of the cluster."""

    node_id: str
    force: bool = False


class PutStack(_Command, frozen=True, kw_only=True, tag="put-stack"):
    """A whole stack as its file says; `prune` also removes its services that the file lacks, and
    `rerun` lets its jobs run again though nothing has changed.

    The specs of its secrets have no content: that comes in `sealed`, for each of them.
    """

    spec: specs.StackSpec
    seed: bytes
    prune: bool = False
    rerun: bool = False
    sealed: tuple[objects.SealedContent, ...] = ()


class RollBackStack(_Command, frozen=True, kw_only=True, tag="roll-back-stack"):
    """A stack is to be what it was at a revision; 0 is the one before the present one."""

    name: str
    seed: bytes
    revision: int = 0


class RemoveStack(_Command, frozen=True, kw_only=True, tag="remove-stack"):
    """A stack and everything deployed under its name is to go."""

    name: str


class ScaleService(_Command, frozen=True, kw_only=True, tag="scale-service"):
    """Another number of replicas."""

    service_id: str
    replicas: int


class UpdateService(_Command, frozen=True, kw_only=True, tag="update-service"):
    """One service gets another spec, made from the `previous` one that its author looked at."""

    service_id: str
    spec: specs.ServiceSpec
    previous: specs.ServiceSpec


class RollbackService(_Command, frozen=True, kw_only=True, tag="rollback-service"):
    """The operator wants the previous spec back."""

    service_id: str


class RemoveService(_Command, frozen=True, kw_only=True, tag="remove-service"):
    """A service is to go."""

    service_id: str


class Rebalance(_Command, frozen=True, kw_only=True, tag="rebalance"):
    """The operator wants tasks to go where the scheduler would place them now, one at a time; of
    these services, or of all.
    """

    service_ids: tuple[str, ...] = ()
    allows_stateful: bool = False
    moves_max: int


class StopRebalance(_Command, frozen=True, kw_only=True, tag="stop-rebalance"):
    """The operator wants no further move; one under way arrives."""


class ReportTasks(_Command, frozen=True, kw_only=True, tag="report-tasks"):
    """What a node's agent observed."""

    node_id: str
    reports: tuple[TaskReport, ...]


class ApplyRound(_Command, frozen=True, kw_only=True, tag="apply-round"):
    """All decisions of one controller round of the leader of `term`."""

    term: int
    changes: tuple[Change, ...]


Command = (
    InitCluster
    | PutNode
    | SeeNode
    | LoseNode
    | ChangeNode
    | RemoveNode
    | PutStack
    | RollBackStack
    | RemoveStack
    | ScaleService
    | UpdateService
    | RollbackService
    | RemoveService
    | Rebalance
    | StopRebalance
    | ReportTasks
    | ApplyRound
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)


class UnknownEntry(ValueError):
    """Bytes that are no command of this version."""


def encode_command(command: Command) -> bytes:
    """The bytes of a log entry."""
    return bytes([ENCODING_VERSION]) + _encoder.encode(command)


def decode_command(entry: bytes) -> Command:
    """The command in a log entry. Raises UnknownEntry."""
    if not entry or entry[0] != ENCODING_VERSION:
        raise UnknownEntry(f"entry of encoding {entry[:1].hex() or 'none'}")
    try:
        return _decoder.decode(memoryview(entry)[1:])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UnknownEntry(str(error)) from error
    except RecursionError as error:  # no command nests; where exactly it gave up says nothing
        raise UnknownEntry("entry nested too deeply") from error
