"""The node's DNS server: a thread with an event loop, a UDP and a TCP socket per gateway address.

What to answer is decided by `agent.core.dns_zone`; here are sockets and time. The UDP path reads up
to 64 datagrams per wake-up and answers what the zone knows without leaving the loop's callback
(most of the server's throughput); everything that waits (held answers, other servers, TCP) is a
coroutine.

A client is known by its source address. Sockets are opened on addresses that need not exist yet, so
that a bridge made anew does not silence the server.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from agent.core import dns_message, dns_zone
from agent.core.dns_zone import Client, Forward, Hold, Reply, Resolution, Zone
from agent.drivers.dns_forwarder import DnsForwarder
from agent.drivers.resolvers import NodeResolvers
from stackctl.errors import TemporaryFailure

PORT = 53
HOLD_SECONDS = 2.0

_DRAIN_MAX = 64
_DATAGRAM_MAX = 4096
_TCP_SIZE_MAX = (1 << 16) - 1
_TCP_IDLE_SECONDS = 10.0
_TCP_CLIENTS_MAX = 256
_WAITING_MAX = 4096
_FREEBIND = 15
_RETRY_SECONDS = 5.0
_RECEIVE_BUFFER_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class _Listener:
    """The sockets of one gateway address; strangers on it see the names of its network."""

    def __init__(self, address: str, network_id: str, port: int) -> None:
        self.network_id = network_id
        self.udp = _bound(socket.SOCK_DGRAM, address, port)
        try:
            self.tcp = _bound(socket.SOCK_STREAM, address, port)
        except BaseException:
            self.udp.close()
            raise
        self.server: asyncio.Server | None = None
        self.stranger = Client(networks=(network_id,), has_rules=False, is_task=False)


class DnsServer:
    """Answers on the gateway addresses that `listen` names, with what `publish` gave last.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        resolvers: NodeResolvers | None = None,
        port: int = PORT,
        forwarder: DnsForwarder | None = None,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._hold_seconds = hold_seconds
        self._port = port
        self._resolvers = resolvers or NodeResolvers()
        self._lock = threading.Lock()
        self._zone: Zone = {}
        self._clients: Mapping[str, Client] = {}
        self._listeners: dict[str, _Listener] = {}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tcp_clients = 0
        self._forwarder = forwarder or DnsForwarder()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="dns-server", daemon=True)
        self._thread.start()

    def publish(self, zone: Zone, clients: Mapping[str, Client]) -> None:
        """From now on answer from this zone; `clients` are the tasks of this node by address."""
        with self._lock:
            if self._loop.is_closed():
                return
            self._zone = zone
            self._clients = clients
            self._call(self._release_held())

    def listen(self, addresses: Mapping[str, str]) -> None:
        """Answer on exactly these addresses, each with its network's id.

        Raises `TemporaryFailure` naming the address that cannot be used; the others are served.
        """
        failures: list[str] = []
        with self._lock:
            if self._loop.is_closed():
                return
            for address in [*self._listeners]:
                if addresses.get(address) != self._listeners[address].network_id:
                    self._call(self._detach(self._listeners.pop(address)))
            for address, network_id in addresses.items():
                if address in self._listeners:
                    continue
                try:
                    listener = _Listener(address, network_id, self._port)
                except OSError as error:
                    failures.append(f"{address}: {error.strerror or error}")
                    continue
                self._listeners[address] = listener
                self._call(self._attach(listener))
        if failures:
            raise TemporaryFailure(
                f"cannot answer DNS on {'; '.join(failures)}", retry_after_seconds=_RETRY_SECONDS
            )

    def close(self) -> None:
        """Stop answering and end the thread. A closed server stays closed."""
        with self._lock:
            if self._loop.is_closed():
                return
            for listener in self._listeners.values():
                self._call(self._detach(listener))
            self._listeners = {}
            self._call(self._cancel_tasks())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it in the loop and wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _release_held(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _attach(self, listener: _Listener) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve_tcp(listener, reader, writer)

        self._loop.add_reader(listener.udp, self._drain, listener)
        listener.server = await asyncio.start_server(serve, sock=listener.tcp)

    async def _detach(self, listener: _Listener) -> None:
        self._loop.remove_reader(listener.udp)
        listener.udp.close()
        if listener.server is not None:
            listener.server.close()

    async def _cancel_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _drain(self, listener: _Listener) -> None:
        for _ in range(_DRAIN_MAX):
            try:
                message, source = listener.udp.recvfrom(_DATAGRAM_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                _log.warning("DNS: %s", error)
                return
            self._answer_datagram(listener, message, source)

    def _answer_datagram(
        self, listener: _Listener, message: bytes, source: tuple[str, int]
    ) -> None:
        query = dns_message.parse_query(message)
        if query is None:
            error = dns_message.render_error(message, dns_message.unreadable_code(message))
            if error is not None:
                _send(listener.udp, error, source)
            return
        client = self._clients.get(source[0], listener.stranger)
        found = dns_zone.resolve(self._zone, client, query, size_max=query.udp_size)
        if isinstance(found, Reply):
            _send(listener.udp, found.message, source)
            return
        if len(self._tasks) >= _WAITING_MAX:
            return

        async def answer_later() -> None:
            late = await self._settle(found, listener, message, query, source[0], over_tcp=False)
            _send(listener.udp, late, source)

        self._start(answer_later())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(
        self,
        found: Resolution,
        listener: _Listener,
        message: bytes,
        query: dns_message.Query,
        source: str,
        *,
        over_tcp: bool,
    ) -> bytes:
        """The answer, after whatever has to be waited for."""
        size_max = _TCP_SIZE_MAX if over_tcp else query.udp_size

        def resolve() -> Resolution:
            client = self._clients.get(source, listener.stranger)
            return dns_zone.resolve(self._zone, client, query, size_max=size_max)

        if isinstance(found, Hold):
            found = await self._held(found, resolve)
        if isinstance(found, Reply):
            return found.message
        if isinstance(found, Hold):
            return found.otherwise
        return await self._forwarded(found, message, query, over_tcp=over_tcp)

    async def _held(self, found: Resolution, resolve: Callable[[], Resolution]) -> Resolution:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hold_seconds):
                while isinstance(found, Hold):
                    await self._changed.wait()
                    found = resolve()
        return found

    async def _forwarded(
        self, found: Forward, message: bytes, query: dns_message.Query, *, over_tcp: bool
    ) -> bytes:
        own = self._listeners.keys()
        servers = tuple(server for server in found.servers if server not in own)
        answer = await self._forwarder.ask(
            servers or self._resolvers.servers(own=own), message, query, over_tcp=over_tcp
        )
        return found.fallback if answer is None else answer

    async def _serve_tcp(
        self, listener: _Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        source = str(writer.get_extra_info("peername")[0])
        self._tcp_clients += 1
        try:
            while self._tcp_clients <= _TCP_CLIENTS_MAX:
                size = await _in_time(reader.readexactly(2))
                message = await _in_time(reader.readexactly(int.from_bytes(size, "big")))
                answer = await self._answer_stream(listener, message, source)
                if answer is None:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await _in_time(writer.drain())
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            self._tcp_clients -= 1
            writer.close()

    async def _answer_stream(
        self, listener: _Listener, message: bytes, source: str
    ) -> bytes | None:
        query = dns_message.parse_query(message)
        if query is None:
            return dns_message.render_error(message, dns_message.unreadable_code(message))
        client = self._clients.get(source, listener.stranger)
        found = dns_zone.resolve(self._zone, client, query, size_max=_TCP_SIZE_MAX)
        return await self._settle(found, listener, message, query, source, over_tcp=True)


async def _in_time(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(_TCP_IDLE_SECONDS):
        return await work


def _send(udp: socket.socket, message: bytes, target: tuple[str, int]) -> None:
    # A full buffer or a client that is gone: the client asks again, or nobody misses the answer.
    with contextlib.suppress(OSError):
        udp.sendto(message, target)


def _bound(kind: int, address: str, port: int) -> socket.socket:
    """A socket that listens there, whether the address exists already or not. Raises `OSError`."""
    found = socket.socket(socket.AF_INET, kind)
    try:
        found.setblocking(False)
        found.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            # Only for TCP, where it is about connections in TIME_WAIT.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        found.bind((address, port))
    except BaseException:
        found.close()
        raise
    return found
