"""Membership: what a manager does once, after its very first start, until it takes part.

The founder writes the first entries of the log; a joiner asks the other managers to let it in. Both
go on until it is done, also over restarts: what is left to do stands in identity.json.
"""

import asyncio
import logging

from msgspec.structs import replace

from stackctl.errors import ClusterUnavailable
from stackctl.manager import founding
from stackctl.manager.handlers.internal import MEMBERS_PATH, MemberRequest
from stackctl.manager.node_identity import write_identity
from stackctl.manager.parts import Parts

PAUSE_SECONDS = 0.2
TIMEOUT_SECONDS = 40.0

_log = logging.getLogger(__name__)


class Membership:
    """The way of a new manager into the cluster."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Returns once this manager takes part."""
        own = self._parts.identity
        if not own.members:
            return
        others = [member.node_id for member in own.members if member.node_id != own.node_id]
        while True:
            if await (self._ask(others) if others else self._found()):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        write_identity(self._parts.settings.identity_dir, replace(own, members=()))
        _log.info("this manager takes part in cluster %s", own.cluster_id)

    async def _found(self) -> bool:
        try:
            await founding.write_first_entries(
                self._parts.cluster,
                identity=self._parts.identity,
                settings=self._parts.settings,
                now=self._parts.clock.now(),
            )
        except ClusterUnavailable as error:
            _log.warning("the cluster is not founded yet: %s", error)
            return False
        return True

    async def _ask(self, others: list[str]) -> bool:
        request = MemberRequest(raft_address=self._parts.settings.raft_address)
        for node_id in others:
            try:
                await self._parts.peers.post(
                    node_id, MEMBERS_PATH, body=request, timeout_seconds=TIMEOUT_SECONDS
                )
            except ClusterUnavailable as error:
                _log.warning("not let in yet: %s", error)
            else:
                return True
        return False
