"""The node's agent put together: who this node is, its engine, its worker, its session."""

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agent.clock import Clock
from agent.core.generic_resources import Offer
from agent.drivers import (
    dns_server,
    identity_files,
    image_fetches,
    node_routes,
    open_connections,
    spare_memory,
    stand_in,
)
from agent.drivers.config_files import ConfigFiles
from agent.drivers.disk import AgentFolder
from agent.drivers.docker_networks import DockerNetworks
from agent.drivers.engine import Engine
from agent.drivers.identity_files import NodeIdentity
from agent.drivers.logs import LogStreams
from agent.drivers.manager_images import ImageSource, ManagerImages
from agent.drivers.memory_disk import MemoryDisk
from agent.drivers.mutual_tls import TlsFiles
from agent.drivers.node_engine import NodeEngine
from agent.drivers.secret_files import SecretFiles
from agent.drivers.stand_in import StandIn
from agent.drivers.task_files import TaskFiles
from agent.network import NodeNetwork
from agent.session.outbox import Outbox
from agent.session.session import Membership, Session
from agent.settings import Settings
from agent.worker import execution
from agent.worker.loop import Worker
from agent.worker.network_part import NetworkControl
from stackctl import __version__
from stackctl.errors import ClusterUnavailable, DriverFailure, TemporaryFailure
from stackctl.model.objects import NodeDescription
from stackctl.wire.agent_protocol import FetchImage

IDENTITY_SECONDS = 30.0
DESCRIBE_SECONDS = 20.0
VOLUMES_TOLD_MAX = 1000
ENGINE_RETRY_SECONDS = 1.0
ENGINE_SILENT_SECONDS_MAX = 15.0
RENEWAL_FIRST_SECONDS = 600.0
RENEWAL_PERIOD_SECONDS = 6 * 3600.0
RENEWAL_SECONDS_MAX = 300.0
OWN_BRIDGES = ("sc-",)

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Be this node's agent until SIGTERM or SIGINT. Raises StackctlError when that cannot be."""
    identity = find_identity(settings)
    images = ManagerImages(_tls_files(settings), lambda: _managers(settings, identity))
    engine = await_engine(settings.engine_url, images)
    stand_in.dismiss_others(_folder_of(settings, identity))
    network = NodeNetwork(
        cluster_id=identity.cluster_id,
        node_id=identity.node_id,
        data_address=settings.data_address,
        vxlan_port=settings.vxlan_port,
        engine_networks=DockerNetworks(engine, cluster_id=identity.cluster_id),
        stand_in=StandIn(_folder_of(settings, identity), port=dns_server.PORT),
    )
    agent = NodeAgent(settings=settings, identity=identity, engine=engine, network=network)
    gc.collect()
    gc.freeze()  # what start-up loaded stays; collections need not look at it again
    asyncio.run(agent.run())


def find_identity(settings: Settings) -> NodeIdentity:
    """Who this node is: from its files, by joining, or as soon as the manager here has written
    them. Raises ClusterUnavailable, and what enrolment raises.
    """
    identity = identity_files.read_identity(settings.identity_dir)
    if identity is not None:
        return identity
    if settings.join_token:
        _enrol_and_begin_anew(settings)
    return identity_files.await_identity(settings.identity_dir, timeout_seconds=IDENTITY_SECONDS)


def _enrol_and_begin_anew(settings: Settings) -> None:
    """Join, then run this program again in the same process: what enrolment loads (10 MB, for a
    few milliseconds of work) would stay for as long as the agent runs.
    """
    importlib.import_module("agent.enrolment").enrol(settings)
    if identity_files.read_identity(settings.identity_dir) is None:
        raise ClusterUnavailable(f"the identity in {settings.identity_dir} cannot be read back")
    logging.shutdown()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  # our own command line, once more


def await_engine(url: str, images: ImageSource) -> NodeEngine:
    """The engine, once it answers. Raises UnfitMachine for one that is too old."""
    said = ""
    while True:
        try:
            return NodeEngine(url, images)
        except TemporaryFailure as failure:
            if failure.reason != said:
                _log.warning("waiting for the engine at %s: %s", url, failure.reason)
                said = failure.reason
            time.sleep(ENGINE_RETRY_SECONDS)


class NodeAgent:
    """All the parts of one node's agent, connected."""

    def __init__(
        self,
        *,
        settings: Settings,
        identity: NodeIdentity,
        engine: NodeEngine,
        network: NetworkControl,
    ) -> None:
        self._engine = engine
        self._network = network
        folder = AgentFolder(_folder_of(settings, identity))
        clock = Clock()
        outbox = Outbox()
        self._worker = Worker(
            engine=engine,
            identity=execution.NodeIdentity(
                cluster_id=identity.cluster_id, node_id=identity.node_id
            ),
            network=network,
            folder=folder,
            files=TaskFiles(
                configs=ConfigFiles(settings.configs_dir),
                secrets=SecretFiles(MemoryDisk(settings.secrets_dir)),
            ),
            clock=clock,
            on_report=outbox.put_report,
            on_applied=outbox.put_applied,
            on_container=self._notice_container,
            before_stop=open_connections.await_taken_up,
        )
        self._renewal = RenewalTimer(settings, identity, folder)
        self._describer = Describer(engine, settings, outbox.put_description)
        self._outbox = outbox
        self._logs: LogStreams | None = None
        managers = _managers(settings, identity)
        if not managers:
            raise ClusterUnavailable(f"no manager is known: {settings.identity_dir}/identity.json")
        self._session = Session(
            membership=Membership(
                node_id=identity.node_id,
                cluster_id=identity.cluster_id,
                files=_tls_files(settings),
            ),
            managers=managers,
            tasks=self._worker,
            outbox=outbox,
            make_logs=self._make_logs,
            fetch_image=self._fetch_image,
            describe=self._describer.description,
            node_fault=self._fault,
            folder=folder,
            clock=clock,
        )

    async def run(self) -> None:
        """Work until the process is told to end; containers and network stay as they are."""
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        self._describer.start()
        self._renewal.start()
        self._worker.start()
        session = asyncio.create_task(self._session.run())
        ended = asyncio.create_task(ending.wait())
        try:
            await asyncio.wait((session, ended), return_when=asyncio.FIRST_COMPLETED)
            if session.done():
                session.result()
        finally:
            _log.info("ending; containers and network stay")
            session.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await session
            self._describer.stop()
            self._renewal.stop()
            self._worker.stop()
            self._network.close(remove=False)
            self._engine.close()

    def _make_logs(self, connection: int) -> LogStreams:
        self._logs = LogStreams(
            engine=self._engine,
            find_container=self._worker.container_of,
            send=lambda frame: self._outbox.put_log(frame, connection=connection),
        )
        return self._logs

    def _fetch_image(self, request: FetchImage, connection: int) -> None:
        image_fetches.start_fetch(
            self._engine,
            request,
            lambda frame: self._outbox.put_log(frame, connection=connection),
        )

    def _notice_container(self) -> None:
        if self._logs is not None:
            self._logs.notice_container()

    def _fault(self) -> str:
        silent = self._worker.engine_silent_seconds()
        if silent < ENGINE_SILENT_SECONDS_MAX:
            return ""
        return f"the engine has not answered for {silent:.0f} s"


class Describer:
    """Looks at the node every now and then and tells when it has changed."""

    def __init__(
        self, engine: Engine, settings: Settings, on_change: Callable[[NodeDescription], None]
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._on_change = on_change
        self._ending = threading.Event()
        self._description = self._look()

    def description(self) -> NodeDescription:
        """The node as last seen."""
        return self._description

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="describe", daemon=True).start()

    def stop(self) -> None:
        """Look no longer."""
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.wait(DESCRIBE_SECONDS):
            spare_memory.give_back()
            try:
                seen = self._look()
            except DriverFailure as failure:
                _log.warning("cannot describe the node: %s", failure.reason)
                continue
            except Exception:  # noqa: BLE001  # top of a thread
                _log.exception("cannot describe the node")
                continue
            if seen != self._description:
                self._description = seen
                self._on_change(seen)

    def _look(self) -> NodeDescription:
        facts = self._engine.facts()
        engine_offer = Offer(counts=facts.generic, names=facts.generic_named)
        offer = self._settings.generic.over(engine_offer)
        return NodeDescription(
            hostname=self._settings.hostname,
            nano_cpus=facts.nano_cpus,
            memory_bytes=facts.memory_bytes,
            os=facts.os,
            arch=facts.arch,
            engine_version=facts.version,
            engine_labels=facts.labels,
            data_address=self._settings.data_address,
            routes=node_routes.read_routes(without_prefixes=OWN_BRIDGES),
            agent_version=__version__,
            generic=offer.counts,
            generic_named=offer.names,
            volumes=self._engine.stack_volumes()[:VOLUMES_TOLD_MAX],
        )


class RenewalTimer:
    """Has `agent.renewal` look after the node's certificate every few hours."""

    def __init__(self, settings: Settings, identity: NodeIdentity, folder: AgentFolder) -> None:
        self._settings = settings
        self._identity = identity
        self._folder = folder
        self._ending = threading.Event()

    def start(self) -> None:
        """Begin; on a manager's node there is nothing to do, the manager renews there."""
        if self._identity.role != "manager":
            threading.Thread(target=self._run, name="renewal", daemon=True).start()

    def stop(self) -> None:
        """Renew no longer."""
        self._ending.set()

    def _run(self) -> None:
        pause = RENEWAL_FIRST_SECONDS
        while not self._ending.wait(pause):
            pause = RENEWAL_PERIOD_SECONDS
            try:
                self._look()
            except (OSError, subprocess.SubprocessError) as error:
                _log.warning("cannot look after the node's certificate: %s", error)

    def _look(self) -> None:
        managers = self._folder.read_managers() or self._identity.managers
        ended = subprocess.run(
            [sys.executable, "-m", "agent.renewal", str(self._settings.identity_dir), *managers],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RENEWAL_SECONDS_MAX,
        )
        if ended.stdout.strip():
            level = logging.INFO if ended.returncode == 0 else logging.ERROR
            _log.log(level, "%s", ended.stdout.strip())


def _folder_of(settings: Settings, identity: NodeIdentity) -> Path:
    # By node id: what was held as a member of another cluster is no fence for this one.
    return settings.agent_dir / identity.node_id


def _tls_files(settings: Settings) -> TlsFiles:
    return TlsFiles(
        authority=settings.identity_dir / "ca.pem",
        certificate=settings.identity_dir / "node.pem",
        key=settings.identity_dir / "node.key",
    )


def _managers(settings: Settings, identity: NodeIdentity) -> tuple[str, ...]:
    """Addresses of the managers as last heard, the one on this very node first: no network lies
    between.
    """
    managers = AgentFolder(_folder_of(settings, identity)).read_managers() or identity.managers
    own_address = settings.data_address
    own = tuple(address for address in managers if address.rpartition(":")[0] == own_address)
    return own + tuple(address for address in managers if address not in own)
