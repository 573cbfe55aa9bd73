"""Settings of the manager: its command line, and the times it works with.

A manager has one address and two ports on it: the API's, and the one above it for the other
managers (Raft). Because the second follows from the first, knowing a manager's Raft address is
knowing its API; nothing else has to be agreed on or kept.
"""

import argparse
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stackctl.errors import InputError

API_PORT = 2477
STATE_DIR = Path("/var/lib/stackctl")
RUN_DIR = Path("/run/stackctl")
IMAGES_BYTES_MAX = 20 << 30


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set; durations in seconds."""

    state_dir: Path
    run_dir: Path
    hostname: str
    advertise_address: str
    listen_address: str
    api_port: int = API_PORT
    bootstrap: bool = False
    join_token: str = ""
    join: tuple[str, ...] = ()  # "address:port" of managers to ask
    node_down_seconds: float = 3.0
    forward_period_seconds: float = 0.3
    proposal_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 5.0
    full_round_seconds: float = 60.0
    images_bytes_max: int = IMAGES_BYTES_MAX
    log_level: str = "info"

    @property
    def identity_dir(self) -> Path:
        """Where certificates and keys are."""
        return self.state_dir / "identity"

    @property
    def raft_dir(self) -> Path:
        """Where the replicated log is."""
        return self.state_dir / "raft"

    @property
    def images_dir(self) -> Path:
        """Where the images are that nodes fetch from the managers."""
        return self.state_dir / "images"

    @property
    def socket_path(self) -> Path:
        """The unix socket of the API."""
        return self.run_dir / "manager.sock"

    @property
    def api_address(self) -> str:
        """Where others reach this manager's API."""
        return join_address(self.advertise_address, self.api_port)

    @property
    def raft_address(self) -> str:
        """Where the other managers reach this one."""
        return raft_address_of(self.api_address)


def join_address(address: str, port: int) -> str:
    """`address:port`, with brackets around an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def raft_address_of(api_address: str) -> str:
    """The Raft address of the manager whose API is there."""
    return _next_port(api_address, 1)


def api_address_of(raft_address: str) -> str:
    """The API's address of the manager whose Raft address that is."""
    return _next_port(raft_address, -1)


def parse_settings(arguments: Sequence[str] | None = None) -> Settings:
    """The settings on the command line. Raises InputError; exits for --help and unknown flags."""
    given = _parser().parse_args(arguments)
    for name in ("advertise_address", "listen_address"):
        text = getattr(given, name)
        if text:
            _check_ip(name, text)
    if given.bootstrap and (given.join or given.join_token):
        raise InputError("--bootstrap founds a cluster, --join enters one: give only one of them")
    if bool(given.join) != bool(given.join_token):
        raise InputError("--join and --join-token belong together")
    return Settings(
        state_dir=given.state_dir,
        run_dir=given.run_dir,
        hostname=given.hostname,
        advertise_address=given.advertise_address,
        listen_address=given.listen_address or given.advertise_address,
        api_port=given.api_port,
        bootstrap=given.bootstrap,
        join_token=given.join_token,
        join=tuple(given.join),
        node_down_seconds=given.node_down_seconds,
        images_bytes_max=given.images_bytes_max,
        log_level=given.log_level,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stackctl-manager",
        description="One manager of a stackctl cluster: replicated state, API, controllers.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--state-dir", type=Path, default=STATE_DIR, help="default: %(default)s")
    add("--run-dir", type=Path, default=RUN_DIR, help="default: %(default)s")
    add("--hostname", default=socket.gethostname(), help="name of this node (%(default)s)")
    add("--advertise-address", required=True, metavar="IP", help="where other nodes reach us")
    add("--listen-address", default="", metavar="IP", help="default: the advertised address")
    add(
        "--api-port",
        type=int,
        default=API_PORT,
        help="port of the API (%(default)s); the port above it is for the other managers",
    )
    add("--bootstrap", action="store_true", help="found a cluster, unless this node has one")
    add("--join-token", default="", help="enter a cluster, unless this node is in one")
    add("--join", action="append", default=[], metavar="IP:PORT", help="a manager's API")
    add(
        "--node-down-seconds",
        type=float,
        default=3.0,
        help="silence after which a node counts as down (%(default)s)",
    )
    add(
        "--images-bytes-max",
        type=int,
        default=IMAGES_BYTES_MAX,
        help="how much the images together may take that people have built for this cluster"
        " (%(default)s)",
    )
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


def _check_ip(name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        flag = name.replace("_", "-")
        raise InputError(f"--{flag} {text} is not an IP address") from error


def _next_port(address: str, step: int) -> str:
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + step}"
