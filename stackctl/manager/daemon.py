"""`stackctl-manager`: puts the parts together, runs them, takes them apart.

Start: identity (found, join, or read), replicated log, server, then the loops. The event loop
belongs to the API and the sessions; consensus has threads of its own and enters the loop through
`ReplicatedCluster`. SIGTERM and SIGINT end it gracefully: agents are sent away, leadership is
handed over.
"""

import asyncio
import gc
import logging
import signal
import sys

from stackctl.errors import InputError, StackctlError
from stackctl.manager import founding, identity, joining
from stackctl.manager.certificate_renewal import CertificateRenewal
from stackctl.manager.clock import SystemClock
from stackctl.manager.cluster import ReplicatedCluster, start_task, stop_task
from stackctl.manager.consensus import Consensus, ConsensusSettings, Member
from stackctl.manager.forwarding import Forwarding
from stackctl.manager.identity import IdentityDirectory
from stackctl.manager.image_keeping import ImageKeeping
from stackctl.manager.image_store import ImageStore
from stackctl.manager.leader import LeaderLoop
from stackctl.manager.liveness import Liveness
from stackctl.manager.membership import Membership
from stackctl.manager.node_identity import NodeIdentity, read_identity
from stackctl.manager.parts import Parts
from stackctl.manager.peers import Peers
from stackctl.manager.routes import ROUTES
from stackctl.manager.server import ApiServer
from stackctl.manager.sessions import Sessions
from stackctl.manager.settings import Settings, join_address, parse_settings
from stackctl.manager.vault import Vault, read_data_key

# Objects of the state make no cycles, and there may be millions: looking at them all after every
# 700 new ones, Python's default, takes most of the time of a round over 100,000 tasks.
COLLECTION_THRESHOLDS = (20_000, 20, 50)

_log = logging.getLogger(__name__)


def run() -> None:
    """The program `stackctl-manager`."""
    try:
        settings = parse_settings()
        _start_logging(settings)
        gc.set_threshold(*COLLECTION_THRESHOLDS)
        asyncio.run(_serve_until_signal(settings))
    except StackctlError as error:
        sys.stderr.write(f"stackctl-manager: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"  {error.hint}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"stackctl-manager: {error}\n")
        sys.exit(1)


class Manager:
    """A running manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._loop = asyncio.get_running_loop()
        self._cluster = ReplicatedCluster(settings=settings)
        self._consensus: Consensus | None = None
        self._peers: Peers | None = None
        self._server: ApiServer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[StackctlError] = self._loop.create_future()

    async def start(self) -> None:
        """Takes part in the cluster and opens the API. Raises StackctlError, OSError."""
        settings = self._settings
        own = await asyncio.to_thread(obtain_identity, settings)
        directory = IdentityDirectory(settings.identity_dir)
        server_tls = identity.server_ssl_context(directory.tls_files())
        client_tls = identity.client_ssl_context(directory.tls_files())
        liveness = Liveness(self_id=own.node_id)
        vault = Vault(lambda: read_data_key(directory))
        sessions = Sessions(
            manager_id=own.node_id,
            cluster=self._cluster,
            liveness=liveness,
            vault=vault,
            clock=self._clock,
        )
        leader = LeaderLoop(
            cluster=self._cluster,
            liveness=liveness,
            clock=self._clock,
            down_seconds=settings.node_down_seconds,
        )
        self._peers = Peers(tls=client_tls, addresses=self._cluster.api_addresses)
        forwarding = Forwarding(
            cluster=self._cluster,
            sessions=sessions,
            liveness=liveness,
            peers=self._peers,
            clock=self._clock,
            period_seconds=settings.forward_period_seconds,
        )
        self._consensus = self._make_consensus(own, directory)
        await asyncio.to_thread(self._consensus.start)
        self._cluster.attach(self._consensus)
        images = ImageStore(settings.images_dir, bytes_max=settings.images_bytes_max)
        image_keeping = ImageKeeping(
            images, cluster=self._cluster, peers=self._peers, self_id=own.node_id
        )
        parts = Parts(
            settings=settings,
            identity=own,
            clock=self._clock,
            cluster=self._cluster,
            liveness=liveness,
            sessions=sessions,
            peers=self._peers,
            vault=vault,
            images=images,
            image_keeping=image_keeping,
        )
        self._server = ApiServer(parts, ROUTES)
        await self._server.start(server_tls)
        renewal = CertificateRenewal(
            directory, identity=own, contexts=(server_tls, client_tls), clock=self._clock
        )
        for name, work in (
            ("leader loop", leader.run()),
            ("forwarding", forwarding.run()),
            ("certificate renewal", renewal.run()),
            ("membership", Membership(parts).run()),
            ("image keeping", image_keeping.run()),
        ):
            self._tasks.append(start_task(work, name=name))
        _log.info("manager %s serves %s", own.node_id, settings.api_address)
        gc.collect()
        gc.freeze()

    async def stop(self) -> None:
        """Ends everything in the reverse order; harmless when not all of it was started."""
        for task in reversed(self._tasks):
            await stop_task(task)
        if self._server is not None:
            await self._server.stop()
        if self._peers is not None:
            await self._peers.close()
        if self._consensus is not None:
            await asyncio.to_thread(self._consensus.stop)

    def _make_consensus(self, own: NodeIdentity, directory: IdentityDirectory) -> Consensus:
        settings = self._settings
        raft_port = int(settings.raft_address.rpartition(":")[2])
        members = tuple(Member(member.node_id, member.address) for member in own.members)
        return Consensus(
            ConsensusSettings(
                node_id=own.node_id,
                listen=join_address(settings.listen_address, raft_port),
                members=members,
                directory=settings.raft_dir,
                tls=directory.tls_files(),
            ),
            self._cluster.machine,
            on_leadership=self._cluster.leadership_changed,
            on_failure=self._fail,
        )

    def _fail(self, error: StackctlError) -> None:
        self._loop.call_soon_threadsafe(self._note_failure, error)

    def _note_failure(self, error: StackctlError) -> None:
        if not self.failed.done():
            self.failed.set_result(error)


def obtain_identity(settings: Settings) -> NodeIdentity:
    """Reads who this node is, or founds or joins a cluster. Blocks; raises StackctlError."""
    own = read_identity(settings.identity_dir)
    if own is None:
        if settings.bootstrap:
            return founding.create_identity(settings)
        if settings.join:
            return joining.enrol(settings)
        raise InputError(
            f"this node is in no cluster: {settings.identity_dir} has no identity",
            hint="--bootstrap founds a cluster, --join-token and --join enter one",
        )
    if own.role != "manager":
        raise InputError("this node is a worker of its cluster, not a manager")
    return own


async def _serve_until_signal(settings: Settings) -> None:
    manager = Manager(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopping.set)
    ending = asyncio.create_task(stopping.wait())
    try:
        await manager.start()
        await asyncio.wait((ending, manager.failed), return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping")
    finally:
        ending.cancel()
        await manager.stop()
    if manager.failed.done():
        raise manager.failed.result()


def _start_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
