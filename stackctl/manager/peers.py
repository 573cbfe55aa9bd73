"""Requests from manager to manager, over mutual TLS.

The other side must show the certificate of exactly the node that we mean: its node id is the name
that TLS verifies, so neither addresses nor name services have to be trusted.
"""

import ssl
from collections.abc import AsyncGenerator, Callable, Mapping

import aiohttp

from stackctl.errors import ClusterUnavailable
from stackctl.wire import codec

CONNECT_SECONDS = 1.0
LINE_BYTES_MAX = 1 << 20
PIECE_SECONDS = 30.0  # between two pieces of a content
PIECE_BYTES = 256 << 10


class Peers:
    """The other managers' APIs. `addresses` gives them by node id."""

    def __init__(self, *, tls: ssl.SSLContext, addresses: Callable[[], Mapping[str, str]]) -> None:
        tls.check_hostname = True
        self._addresses = addresses
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit_per_host=32), auto_decompress=False
        )

    async def close(self) -> None:
        """Closes every connection."""
        await self._http.close()

    async def post(self, node_id: str, path: str, *, body: object, timeout_seconds: float) -> bytes:
        """The answer to a request. Raises ClusterUnavailable when there is none, or a refusal."""
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._request(node_id, path, body=body, timeout=timeout) as response:
                content = await response.read()
                if response.status >= 400:
                    raise ClusterUnavailable(
                        f"manager {node_id} answered {path} with {response.status}:"
                        f" {content[:300].decode(errors='replace')}"
                    )
                return content
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(node_id, error) from error

    async def lines(self, node_id: str, path: str, *, body: object) -> AsyncGenerator[bytes, None]:
        """The lines of a streamed answer, as they come. Raises ClusterUnavailable."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        try:
            async with self._request(node_id, path, body=body, timeout=timeout) as response:
                if response.status >= 400:
                    content = await response.read()
                    raise ClusterUnavailable(
                        f"manager {node_id} answered {path} with {response.status}:"
                        f" {content[:300].decode(errors='replace')}"
                    )
                while line := await response.content.readline():
                    yield line
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(node_id, error) from error

    async def pieces(self, node_id: str, target: str) -> AsyncGenerator[bytes, None]:
        """The content at a path, as it comes, to its last byte. Raises ClusterUnavailable."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=PIECE_SECONDS
        )
        address = self._address_of(node_id)
        try:
            async with self._http.get(
                f"https://{address}{target}", server_hostname=node_id, timeout=timeout
            ) as response:
                if response.status >= 400:
                    content = await response.read()
                    raise ClusterUnavailable(
                        f"manager {node_id} answered with {response.status}:"
                        f" {content[:300].decode(errors='replace')}"
                    )
                async for piece in response.content.iter_chunked(PIECE_BYTES):
                    yield piece
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(node_id, error) from error

    def _address_of(self, node_id: str) -> str:
        address = self._addresses().get(node_id)
        if address is None:
            raise ClusterUnavailable(f"{node_id} is no manager of this cluster")
        return address

    def _request(
        self, node_id: str, path: str, *, body: object, timeout: aiohttp.ClientTimeout
    ) -> "aiohttp.client._RequestContextManager":
        address = self._address_of(node_id)
        return self._http.post(
            f"https://{address}{path}",
            data=codec.to_json(body),
            headers={"Content-Type": "application/json"},
            server_hostname=node_id,
            timeout=timeout,
            read_bufsize=LINE_BYTES_MAX,
        )


def _unreachable(node_id: str, error: BaseException) -> ClusterUnavailable:
    return ClusterUnavailable(
        f"manager {node_id} does not answer: {str(error) or type(error).__name__}"
    )
