"""Images that the managers hold, fetched from whichever has them.

Asked for with the node's certificate, over the port of the agent's own connection, and never in
memory as a whole: what arrives goes on to the engine.
"""

import contextlib
import http.client
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from agent.drivers.engine import ImageMissing
from agent.drivers.mutual_tls import TlsFiles, client_context, is_manager
from stackctl.errors import TemporaryFailure

CONTENT_PATH = "/v1/images/content"
CONNECT_SECONDS = 5.0  # a manager that is gone must not hold up the next one
ANSWER_SECONDS = 30.0  # for the head, and between two pieces
RETRY_SECONDS = 2.0
PIECE_BYTES = 256 << 10


class ImageContent(NamedTuple):
    """An image on its way, as `docker save` writes it."""

    size_bytes: int  # 0 when it is not said
    pieces: Iterator[bytes]


class ImageSource(Protocol):
    """Where the images come from that no registry has."""

    def open(self, image: str) -> contextlib.AbstractContextManager[ImageContent]:
        """The content of an image."""


class ManagerImages:
    """The managers of the cluster as the place where its images are."""

    def __init__(self, files: TlsFiles, managers: Callable[[], Sequence[str]]) -> None:
        """`managers` gives their addresses, `IP:PORT`, the first one to be asked first."""
        self._files = files
        self._managers = managers

    @contextlib.contextmanager
    def open(self, image: str) -> Iterator[ImageContent]:
        """The content of an image. Raises ImageMissing when every manager answers that it has none,
        TemporaryFailure when one could not be asked; the pieces may raise it, too.
        """
        silent = []
        for address in self._managers():
            try:
                connection, answer = self._ask(address, image)
            except (OSError, http.client.HTTPException) as error:
                silent.append(f"{address}: {error or type(error).__name__}")
                continue
            with contextlib.closing(connection):
                if answer.status == http.client.OK:
                    yield ImageContent(answer.length or 0, _pieces(answer, address))
                    return
                if answer.status != http.client.NOT_FOUND:
                    silent.append(f"{address} answered {answer.status}")
        if silent:
            raise TemporaryFailure(
                f"image {image} could not be fetched from a manager: {'; '.join(silent)}",
                retry_after_seconds=RETRY_SECONDS,
            )
        raise ImageMissing(
            f"no manager holds image {image}: deploy the stack again with --build, or give the"
            " service an image of a registry"
        )

    def _ask(
        self, address: str, image: str
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        host, _, port = address.rpartition(":")
        connection = http.client.HTTPSConnection(
            host.strip("[]"),
            int(port),
            timeout=CONNECT_SECONDS,
            context=client_context(self._files),
        )
        try:
            connection.connect()
            _check_peer(connection.sock)
            connection.sock.settimeout(ANSWER_SECONDS)
            connection.request("GET", f"{CONTENT_PATH}?{urlencode({'reference': image})}")
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


def _check_peer(connection: object) -> None:
    if not isinstance(connection, ssl.SSLSocket) or not is_manager(connection.getpeercert()):
        raise OSError("it is not a manager: its certificate does not say so")


def _pieces(answer: http.client.HTTPResponse, address: str) -> Iterator[bytes]:
    expected = answer.length
    arrived = 0
    while True:
        try:
            piece = answer.read(PIECE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _broken_off(address, str(error) or type(error).__name__) from error
        if not piece:
            break
        arrived += len(piece)
        yield piece
    if expected is not None and arrived < expected:
        raise _broken_off(address, f"{arrived} of {expected} bytes arrived")


def _broken_off(address: str, why: str) -> TemporaryFailure:
    return TemporaryFailure(
        f"the image from manager {address} broke off: {why}", retry_after_seconds=RETRY_SECONDS
    )
