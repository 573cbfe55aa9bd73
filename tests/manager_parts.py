"""A manager's edges in the test's own process, on a replicated log that is a fake.

What the daemon puts together, without threads and without other managers: the cluster, sessions,
the leader's loop and the API on its two doors.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from stackctl.manager import founding, identity
from stackctl.manager.clock import SystemClock
from stackctl.manager.cluster import ReplicatedCluster, start_task, stop_task
from stackctl.manager.identity import IdentityDirectory
from stackctl.manager.image_keeping import ImageKeeping
from stackctl.manager.image_store import ImageStore
from stackctl.manager.leader import LeaderLoop
from stackctl.manager.liveness import Liveness
from stackctl.manager.parts import Parts
from stackctl.manager.peers import Peers
from stackctl.manager.routes import ROUTES
from stackctl.manager.server import ApiServer
from stackctl.manager.sessions import Sessions
from stackctl.manager.settings import Settings
from stackctl.manager.vault import Vault, read_data_key
from stackctl.model import specs
from stackctl.model.objects import NodeDescription, NodeRole
from stackctl.state import commands
from stackctl.wire import codec
from tests.fakes.consensus import FakeConsensus
from tests.manager_process import fresh_address


class Edges:
    """A running manager of one process, and a client for its unix socket."""

    def __init__(self, parts: Parts, consensus: FakeConsensus) -> None:
        self.parts = parts
        self.consensus = consensus

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded answer over the unix socket."""
        connector = aiohttp.UnixConnector(str(self.parts.settings.socket_path))
        async with aiohttp.ClientSession(connector=connector) as http:
            encoded = body if isinstance(body, bytes) else codec.to_json(body)
            content = None if body is None else io.BytesIO(encoded)
            async with http.request(method, f"http://local{path}", data=content) as response:
                text = await response.read()
                return response.status, msgspec.json.decode(text) if text else None

    async def admit_node(self, node_id: str, hostname: str) -> None:
        """A worker that is known but not connected."""
        await self.parts.cluster.propose(
            commands.PutNode(node_id=node_id, role=NodeRole.WORKER, hostname=hostname, now=1)
        )

    async def connect_node(self, node_id: str, hostname: str) -> None:
        """A worker as if its agent had said Hello, and nothing since."""
        await self.admit_node(node_id, hostname)
        await self.parts.cluster.propose(
            commands.SeeNode(
                node_id=node_id,
                manager_id=self.parts.identity.node_id,
                description=description(hostname),
                now=1,
            )
        )


async def nobody_answers(address: str) -> bool:
    """A probe of nodes that are all gone."""
    return False


@asynccontextmanager
async def running_edges(folder: Path, **changed: Any) -> AsyncIterator[Edges]:
    """Founds a cluster of one manager and runs its edges; `changed` overrides settings."""
    address = fresh_address()
    settings = Settings(
        state_dir=folder / "state",
        run_dir=folder / "run",
        hostname="m1",
        advertise_address=address,
        listen_address=address,
    )
    settings = msgspec.structs.replace(settings, **changed)
    own = founding.create_identity(settings)
    directory = IdentityDirectory(settings.identity_dir)
    files = directory.tls_files()
    vault = Vault(lambda: read_data_key(directory))
    cluster = ReplicatedCluster(settings=settings)
    clock = SystemClock()
    liveness = Liveness(self_id=own.node_id)
    sessions = Sessions(
        manager_id=own.node_id, cluster=cluster, liveness=liveness, vault=vault, clock=clock
    )
    leader = LeaderLoop(
        cluster=cluster,
        liveness=liveness,
        clock=clock,
        down_seconds=settings.node_down_seconds,
        probe=nobody_answers,
    )
    consensus = FakeConsensus(
        cluster.machine, on_leadership=cluster.leadership_changed, node_id=own.node_id
    )
    consensus.start()
    cluster.attach(consensus)
    peers = Peers(tls=identity.client_ssl_context(files), addresses=cluster.api_addresses)
    images = ImageStore(settings.images_dir, bytes_max=settings.images_bytes_max)
    parts = Parts(
        settings=settings,
        identity=own,
        clock=clock,
        cluster=cluster,
        liveness=liveness,
        sessions=sessions,
        peers=peers,
        vault=vault,
        images=images,
        image_keeping=ImageKeeping(images, cluster=cluster, peers=peers, self_id=own.node_id),
    )
    server = ApiServer(parts, ROUTES)
    await server.start(identity.server_ssl_context(files))
    await founding.write_first_entries(cluster, identity=own, settings=settings, now=1)
    leading = start_task(leader.run(), name="leader loop")
    try:
        yield Edges(parts, consensus)
    finally:
        await stop_task(leading)
        await server.stop()
        await peers.close()
        consensus.stop()
        await asyncio.to_thread(lambda: None)


def description(hostname: str) -> NodeDescription:
    """What an agent of a small node says of it."""
    return NodeDescription(
        hostname=hostname, nano_cpus=4 * specs.NANO, memory_bytes=8 << 30, data_address="192.0.2.1"
    )


def small_stack(name: str = "shop", *, replicas: int = 2, **service: Any) -> specs.StackSpec:
    """One service on one network."""
    task = specs.TaskSpec(
        container=specs.ContainerSpec(image="busybox"),
        networks=(specs.NetworkAttachment(network=f"{name}_default"),),
    )
    return specs.StackSpec(
        name=name,
        services=(specs.ServiceSpec(name=f"{name}_web", task=task, replicas=replicas, **service),),
        networks=(specs.NetworkSpec(name=f"{name}_default"),),
    )
