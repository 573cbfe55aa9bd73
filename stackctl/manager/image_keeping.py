"""Keeps on this manager the images that services run or may return to, and no others.

Level-triggered: what is used stands in the replicated state, what is here on the disk. Whatever is
used and not here is fetched from another manager, whatever is here and not used is removed. So an
image survives the manager that it was handed to, and a manager that was away catches up. An image
arrives before the deploy that names it, so one in no use stays for an hour.
"""

import asyncio
import contextlib
import logging
from urllib.parse import urlencode

from stackctl.errors import StackctlError
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.image_store import ImageStore
from stackctl.manager.peers import Peers
from stackctl.model.cluster_images import is_cluster_image
from stackctl.state.cluster import ClusterState

CONTENT_PATH = "/v1/images/content"
LOOK_SECONDS = 1.0
RETRY_SECONDS = 5.0
COLLECT_SECONDS = 60.0
GRACE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


def used_images(state: ClusterState) -> frozenset[str]:
    """The cluster's own images that some service runs, or may return to."""
    specs = [
        spec
        for service in state.services.values()
        for spec in (service.spec, service.previous_spec)
        if spec is not None
    ]
    for stack in state.stacks.values():
        for revision in stack.revisions:
            specs += revision.services
    tasks = [spec.task for spec in specs]
    for service in state.services.values():
        tasks += service.task_specs.values()
    return frozenset(
        task.container.image for task in tasks if is_cluster_image(task.container.image)
    )


class ImageKeeping:
    """The loop, on every manager."""

    def __init__(
        self, store: ImageStore, *, cluster: ReplicatedCluster, peers: Peers, self_id: str
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._peers = peers
        self._self_id = self_id
        self._looked_at = -1
        self._collected_at = 0.0
        self._retry_at = 0.0
        self._said: set[str] = set()

    async def run(self) -> None:
        """Keeps until cancelled."""
        await asyncio.to_thread(self._store.remove_parts)
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the top of this loop: one look's fault is not its end
                _log.exception("the images here could not be looked after")
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    def note_arrival(self) -> None:
        """An image has come: what is missing is looked at again."""
        self._looked_at = -1

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        state = self._cluster.state
        if state.index != self._looked_at or now >= self._retry_at:
            used = used_images(state)
            missing = [image for image in sorted(used) if self._store.find(image) is None]
            for image in missing:
                await self._fetch(image)
            self._looked_at = state.index
            self._retry_at = now + RETRY_SECONDS if missing else float("inf")
        if now >= self._collected_at + COLLECT_SECONDS and self._cluster.leadership.leader_id:
            self._collected_at = now
            used = used_images(self._cluster.state)
            for image in await asyncio.to_thread(
                self._store.remove_unused, used, grace_seconds=GRACE_SECONDS
            ):
                _log.info("image %s is in no use any longer: removed", image)

    async def _fetch(self, image: str) -> None:
        query = urlencode({"reference": image})
        reasons = []
        for manager_id in self._cluster.api_addresses():
            if manager_id == self._self_id:
                continue
            try:
                pieces = self._peers.pieces(manager_id, f"{CONTENT_PATH}?{query}")
                async with contextlib.aclosing(pieces):
                    await self._store.put(image, pieces)
            except StackctlError as error:
                reasons.append(error.message)
            else:
                _log.info("image %s fetched from manager %s", image, manager_id)
                self._said.discard(image)
                return
        if image not in self._said:
            self._said.add(image)
            _log.warning("image %s is used, and not here: %s", image, "; ".join(reasons) or "alone")
