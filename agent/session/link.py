"""One connection to one manager: mutual TLS, a greeting, then frames both ways until it ends.

The certificates say who is who: ours which node this is, theirs that they are a manager of this
cluster. Names and addresses are not compared, because nodes may move.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable

import aiohttp

from agent.drivers.mutual_tls import TlsFiles, client_context, is_manager
from stackctl.errors import Denied
from stackctl.wire import agent_protocol
from stackctl.wire.agent_protocol import AgentFrame, Dismissal, Hello, ManagerFrame, Welcome

AGENT_PATH = "/v1/agent"
CLOSE_SECONDS = 0.3
KERNEL_SHARE = 0.4  # of the time for a connection, for its first packet
FRAME_BYTES_MAX = 256 << 20  # a whole assignment set travels in one frame


class LinkFailure(Exception):
    """The connection could not be made or has ended; the message says why. The next manager is
    tried after a pause.
    """


class LinkUseless(LinkFailure):
    """This manager is of no use now, others may be: the next one is tried at once."""


class LinkStale(LinkFailure):
    """Only the connection is of no use: the same manager is tried again at once."""


class Dismissed(LinkFailure):
    """The managers do not know this node any longer."""

    def __init__(self, dismissal: Dismissal) -> None:
        super().__init__("this node was removed from the cluster")
        self.dismissal = dismissal


class Link:
    """An open connection whose greeting is done."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, welcome: Welcome) -> None:
        self._socket = socket
        self.welcome = welcome

    async def send(self, frame: AgentFrame) -> None:
        """Send one frame. Raises LinkFailure."""
        try:
            await self._socket.send_bytes(agent_protocol.encode_frame(frame))
        except (aiohttp.ClientError, ConnectionError, OSError, RuntimeError) as error:
            raise LinkFailure(f"cannot send: {error}") from error

    async def receive(self) -> ManagerFrame:
        """The next frame. Raises LinkFailure when there is none."""
        return await _receive(self._socket)


@contextlib.asynccontextmanager
async def open_link(
    address: str, *, files: TlsFiles, hello: Callable[[], Hello], timeout_seconds: float
) -> AsyncIterator[Link]:
    """Dial the manager at "address:port" and greet it. Raises LinkFailure or Denied."""
    try:
        context = client_context(files)
    except (OSError, ssl.SSLError) as error:
        raise LinkFailure(f"the identity of this node is unreadable: {error}") from error
    connector = aiohttp.TCPConnector(ssl=context, limit=1, force_close=True)
    # A kernel answers at once even where a program is busy: a first packet that is lost (a network
    # that just came back) costs less than the second which the kernel would wait for.
    times = aiohttp.ClientTimeout(sock_connect=timeout_seconds * KERNEL_SHARE)
    async with aiohttp.ClientSession(connector=connector, timeout=times) as http:
        socket = None
        try:
            async with asyncio.timeout(timeout_seconds):
                socket = await _dial(http, address)
                _check_peer(socket, address)
                await socket.send_bytes(agent_protocol.encode_frame(hello()))
                welcome = await _receive(socket)
            if isinstance(welcome, Dismissal):
                raise Dismissed(welcome)
            if not isinstance(welcome, Welcome):
                raise LinkFailure("it did not begin with a welcome")
            yield Link(socket, welcome)
        except TimeoutError as error:
            raise LinkFailure(f"no answer within {timeout_seconds:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise LinkFailure(_words(error.os_error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise LinkFailure(_words(error)) from error
        finally:
            if socket is not None:
                with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await socket.close()


async def _dial(http: aiohttp.ClientSession, address: str) -> aiohttp.ClientWebSocketResponse:
    return await http.ws_connect(
        f"https://{address}{AGENT_PATH}",
        compress=0,
        max_msg_size=FRAME_BYTES_MAX,
        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
    )


def _check_peer(socket: aiohttp.ClientWebSocketResponse, address: str) -> None:
    if not is_manager(socket.get_extra_info("peercert")):
        raise Denied(f"{address} is not a manager: its certificate does not say so")


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words repeat the address
    return str(error) or type(error).__name__


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> ManagerFrame:
    message = await socket.receive()
    if message.type is aiohttp.WSMsgType.BINARY:
        try:
            return agent_protocol.decode_manager_frame(message.data)
        except agent_protocol.ProtocolError as error:
            raise LinkFailure(str(error)) from error
    if message.type is aiohttp.WSMsgType.ERROR:
        raise LinkFailure(f"the connection failed: {socket.exception()}")
    reason = f": {message.extra}" if message.extra else ""
    raise LinkFailure(f"the manager closed the connection{reason}")
