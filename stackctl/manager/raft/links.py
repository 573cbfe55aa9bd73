"""Links: mutual TLS between members, in an event loop on its own thread.

Between two members there is one connection; the member with the greater node id dials. A link is
*up* after both sides verified the other's certificate (chain of the cluster, unit of managers, the
node id expected) and exchanged a hello. What arrives is decoded here and left in an inbox, which
the consensus thread drains; what it sends is queued here and written by the loop. Nothing of Raft
runs on this thread, and nothing of TLS on the other.

A frame is `length 4 | message`. An unreadable frame, a frame over the limit, or two seconds of
silence (links ping) end a connection; dialing again is the cure for everything.
"""

import asyncio
import contextlib
import logging
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stackctl.errors import ClusterUnavailable, Denied, StackctlError
from stackctl.manager import identity
from stackctl.manager.raft import messages
from stackctl.manager.raft.addresses import split_address
from stackctl.manager.raft.connection import (
    PING_PERIOD_SECONDS,
    Connected,
    Connection,
    Disconnected,
    Event,
    Peer,
    frame,
)

_DIAL_SECONDS_MAX = 2.0
_REFUSED_RETRY_SECONDS_MAX = 1.0
_CERTIFICATE_CHECK_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Links:
    """All connections of this member. Public methods may be called from any thread."""

    def __init__(
        self,
        *,
        node_id: str,
        listen: str,
        tls: identity.TlsFiles,
        retry_seconds: float,
        wake: Callable[[], None],
    ) -> None:
        self.node_id = node_id
        self._listen = listen
        self._retry_seconds = retry_seconds
        self._wake = wake
        self._server_context = identity.server_ssl_context(tls, client_certificate="required")
        self._client_context = identity.client_ssl_context(tls)
        contexts = (self._server_context, self._client_context)
        self._certificates = identity.RenewedCertificates(tls, contexts)
        self._peers: dict[str, Peer] = {}
        self._inbox: deque[Event] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="raft-links", daemon=True)
        self._server: asyncio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._flush_is_scheduled = False
        self._strangers: set[Connection] = set()

    def start(self) -> None:
        """Listen and begin to dial. Raises ClusterUnavailable when the address is not ours."""
        self._thread.start()
        future = asyncio.run_coroutine_threadsafe(self._open(), self._loop)
        try:
            future.result()
        except OSError as error:
            self.stop()
            raise ClusterUnavailable(
                f"cannot listen on {self._listen}: {error.strerror or error}",
                hint="give an address of this node and a port that nothing else uses",
            ) from error

    def stop(self) -> None:
        """Close everything and end the thread; stopping twice is harmless."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def set_peer(self, node_id: str, address: str) -> None:
        """Keep a link to that member, from now on."""
        self._loop.call_soon_threadsafe(self._set_peer, node_id, address)

    def remove_peer(self, node_id: str) -> None:
        """Close the link to that member, after what was sent to it is written."""
        self._loop.call_soon_threadsafe(self._remove_peer, node_id)

    def send(self, node_id: str, message: messages.Message | dict[str, Any]) -> bool:
        """Queue a message; False when the link is not up. Delivery is never certain."""
        peer = self._peers.get(node_id)
        if peer is None or not peer.is_up:
            return False
        peer.outbox.append(frame(message))
        if not self._flush_is_scheduled:
            self._flush_is_scheduled = True
            self._loop.call_soon_threadsafe(self._flush)
        return True

    def is_congested(self, node_id: str) -> bool:
        """Whether much of what was sent to that member is still here."""
        peer = self._peers.get(node_id)
        return peer is not None and peer.link is not None and peer.link.is_congested

    def drain(self, count_max: int) -> list[Event]:
        """What happened since the last call, oldest first, at most `count_max`."""
        events: list[Event] = []
        with contextlib.suppress(IndexError):
            while len(events) < count_max:
                events.append(self._inbox.popleft())
        return events

    # -- everything below runs on the loop's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _open(self) -> None:
        ip, port = split_address(self._listen)
        self._server = await self._loop.create_server(
            lambda: Connection(self, expected=None), ip, port, ssl=self._server_context
        )
        self._keeper = self._loop.create_task(self._keep())

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [peer.dialing for peer in self._peers.values() if peer.dialing is not None]
        if self._keeper is not None:
            tasks.append(self._keeper)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        links = [peer.link for peer in self._peers.values() if peer.link is not None]
        for link in (*links, *self._strangers):
            link.close()
        # One turn of the loop for the last words, then whoever has not said goodbye is cut off.
        await asyncio.sleep(0.01)
        for link in (*links, *self._strangers):
            link.abort()
        await asyncio.sleep(0)

    def _set_peer(self, node_id: str, address: str) -> None:
        known = self._peers.get(node_id)
        if known is not None and known.address == address:
            return
        if known is not None:
            self._remove_peer(node_id)
        peer = Peer(node_id, address)
        self._peers[node_id] = peer
        if self.node_id > node_id:
            peer.dialing = self._loop.create_task(self._dial(peer))

    def _remove_peer(self, node_id: str) -> None:
        self._flush()
        peer = self._peers.pop(node_id, None)
        if peer is None:
            return
        if peer.dialing is not None:
            peer.dialing.cancel()
        link = peer.link
        if link is not None:
            self._mark_down(peer)
            link.close()

    async def _dial(self, peer: Peer) -> None:
        """Keep one connection to the peer, for ever."""
        ip, port = split_address(peer.address)
        retry_seconds = self._retry_seconds
        while True:
            link = Connection(self, expected=peer)
            try:
                async with asyncio.timeout(_DIAL_SECONDS_MAX):
                    await self._loop.create_connection(
                        partial(_same, link), ip, port, ssl=self._client_context
                    )
            except (OSError, ssl.SSLError, TimeoutError) as error:
                _log.debug("no link to %s at %s: %s", peer.node_id, peer.address, error)
                retry_seconds = self._retry_seconds
            else:
                await link.closed.wait()
                # Accepted and thrown out: it does not know us (yet); asking costs it a handshake.
                patience = min(2 * retry_seconds, _REFUSED_RETRY_SECONDS_MAX)
                retry_seconds = self._retry_seconds if link.was_up else patience
            finally:
                link.close()
            await asyncio.sleep(retry_seconds * random.uniform(0.8, 1.2))  # noqa: S311 - only jitter

    async def _keep(self) -> None:
        """Ping what is silent, cut off what stays silent, notice a renewed certificate."""
        certificate_due = time.monotonic() + _CERTIFICATE_CHECK_SECONDS
        while True:
            began = time.monotonic()
            await asyncio.sleep(PING_PERIOD_SECONDS)
            now = time.monotonic()
            # This thread itself was held up: what peers sent meanwhile was not read yet.
            was_held_up = now - began > 2 * PING_PERIOD_SECONDS
            links = [peer.link for peer in self._peers.values() if peer.link is not None]
            for link in (*links, *self._strangers):
                link.check(now, forgive=was_held_up)
            if now >= certificate_due:
                certificate_due = now + _CERTIFICATE_CHECK_SECONDS
                try:
                    self._certificates.reload_if_changed()
                except StackctlError as error:
                    _log.warning("the renewed certificate is not usable yet: %s", error.message)

    def _flush(self) -> None:
        self._flush_is_scheduled = False
        for peer in self._peers.values():
            if not peer.outbox:
                continue
            frames: list[bytes] = []
            with contextlib.suppress(IndexError):
                while True:
                    frames.append(peer.outbox.popleft())
            if peer.link is not None and peer.is_up:
                peer.link.write(b"".join(frames))

    def link_opened(self, link: Connection, certificate: Mapping[str, Any] | None) -> Peer:
        """Judge a new connection. Raises Denied."""
        self._strangers.add(link)
        who = identity.peer_identity(certificate)
        if who.role != "manager":
            raise Denied(f"node {who.node_id} is a {who.role}, not a manager")
        if link.expected is not None and link.expected.node_id != who.node_id:
            raise Denied(
                f"{link.expected.address} is node {who.node_id}, not {link.expected.node_id}"
            )
        peer = link.expected or self._peers.get(who.node_id)
        if peer is None or (link.expected is None and who.node_id < self.node_id):
            raise Denied(f"node {who.node_id} is not a member that dials this one")
        return peer

    def link_greeted(self, link: Connection, peer: Peer) -> None:
        """Both sides have said hello."""
        self._strangers.discard(link)
        if self._peers.get(peer.node_id) is not peer:
            link.abort()
            return
        if peer.link is not None and peer.link is not link:
            # The other side dialed again, so the old connection is dead even if we saw no end.
            old = peer.link
            self._mark_down(peer)
            old.abort()
        peer.link = link
        peer.outbox.clear()
        peer.is_up = True
        self.deliver(Connected(peer.node_id))

    def link_closed(self, link: Connection, peer: Peer | None) -> None:
        """A connection ended."""
        self._strangers.discard(link)
        if peer is not None and peer.link is link:
            self._mark_down(peer)

    def deliver(self, event: Event) -> None:
        """Leave an event for the consensus thread."""
        self._inbox.append(event)
        self._wake()

    def _mark_down(self, peer: Peer) -> None:
        peer.link = None
        if peer.is_up:
            peer.is_up = False
            self.deliver(Disconnected(peer.node_id))


def _same(link: Connection) -> Connection:
    return link
