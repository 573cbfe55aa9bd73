"""The settings of one member, with the timings that were measured to be safe.

Elections: the least timeout is four heartbeats, so that one lost heartbeat never starts one. The
leader gives up after five seconds without a majority, not sooner, because a follower that installs
a snapshot is silent meanwhile. An entry is at most 1 MiB: larger objects are split by the caller.
"""

from pathlib import Path

import msgspec

from stackctl.manager.identity import TlsFiles


class Member(msgspec.Struct, frozen=True):
    """A manager that takes part. `address` is the "IP:PORT" on which it listens for members."""

    node_id: str
    address: str


class ConsensusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How this member takes part.

    `members` counts only while `directory` is empty; later the members are what the replicated log
    says. This node alone: it founds a cluster. With others: it expects to be added by their leader,
    or all of them begin together. Nobody: this node takes part already, so an empty directory is a
    loss, and refused, instead of the beginning of a second cluster.
    """

    node_id: str
    listen: str
    members: tuple[Member, ...] = ()
    directory: Path
    tls: TlsFiles

    tick_seconds: float = 0.02
    heartbeat_seconds: float = 0.1
    election_minimum_seconds: float = 0.4
    election_maximum_seconds: float = 0.8
    leader_fallback_seconds: float = 5.0
    reconnect_seconds: float = 0.2
    batch_bytes: int = 4 << 20
    entry_bytes_max: int = 1 << 20
    proposals_max: int = 4096
    proposals_bytes_max: int = 64 << 20
    compaction_entries: int = 20_000
    compaction_bytes: int = 8 << 20
    compaction_seconds: float = 3600.0
