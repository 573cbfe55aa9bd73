"""Asking other servers: one socket per question, so that port and identifier are both new.

Servers are tried in their order, twice, within a total time that is shorter than the patience of
the containers' resolvers. A refused connection or an error goes on to the next server at once.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from agent.core import dns_message
from agent.core.dns_message import Query

PORT = 53
TOTAL_SECONDS = 3.5

_ONE_TRY_SECONDS = 1.2
_ROUNDS = 2
_PENDING_MAX = 512
_ANSWER_MAX = 1 << 16


class DnsForwarder:
    """Forwards questions; belongs to one event loop."""

    def __init__(self, *, port: int = PORT) -> None:
        self._port = port
        self._pending = 0

    async def ask(
        self, servers: Sequence[str], message: bytes, query: Query, *, over_tcp: bool
    ) -> bytes | None:
        """The first good answer, under the question's identifier; None when no server gives one.

        Above 512 questions under way, further ones are not asked.
        """
        if self._pending >= _PENDING_MAX or not servers:
            return None
        self._pending += 1
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._ask_all(servers, message, query, over_tcp=over_tcp)
        except TimeoutError:
            return None
        finally:
            self._pending -= 1

    async def _ask_all(
        self, servers: Sequence[str], message: bytes, query: Query, *, over_tcp: bool
    ) -> bytes | None:
        exchange = self._exchange_tcp if over_tcp else self._exchange_udp
        failed: bytes | None = None
        for server in tuple(servers) * _ROUNDS:
            query_id = secrets.randbelow(1 << 16)
            try:
                async with asyncio.timeout(_ONE_TRY_SECONDS):
                    answer = await exchange(
                        server, dns_message.with_id(message, query_id), query_id, query
                    )
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                continue
            answer = dns_message.with_id(answer, query.id)
            if dns_message.response_code(answer) != dns_message.SERVER_FAILURE:
                return answer
            failed = answer
        return failed

    async def _exchange_udp(
        self, server: str, message: bytes, query_id: int, query: Query
    ) -> bytes:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        transport, _protocol = await loop.create_datagram_endpoint(
            lambda: _OneAnswer(answer, query_id, query.question),
            remote_addr=(server, self._port),
        )
        try:
            transport.sendto(message)
            return await answer
        finally:
            transport.close()

    async def _exchange_tcp(
        self, server: str, message: bytes, query_id: int, query: Query
    ) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port, limit=_ANSWER_MAX)
        try:
            writer.write(len(message).to_bytes(2, "big") + message)
            size = int.from_bytes(await reader.readexactly(2), "big")
            answer = await reader.readexactly(size)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        if not dns_message.answers_question(answer, query_id=query_id, question=query.question):
            raise ConnectionError(f"name server {server} answered another question")
        return answer


class _OneAnswer(asyncio.DatagramProtocol):
    """Waits for the answer to one question; anything else is dropped."""

    def __init__(self, answer: asyncio.Future[bytes], query_id: int, question: bytes) -> None:
        self._answer = answer
        self._query_id = query_id
        self._question = question

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  # the socket is connected: only the server is heard
        fits = dns_message.answers_question(data, query_id=self._query_id, question=self._question)
        if fits and not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
