"""Images fetched before a task needs them, because a manager asks for it; it is told how it goes.

Each has a thread of its own, as a task's pull has. What is under way goes on when nobody listens
any longer: the image will be needed.
"""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from stackctl.errors import DriverFailure
from stackctl.wire.agent_protocol import FetchImage, ImageProgress, StreamEnd

REPORT_BYTES = 1 << 20  # between two reports of progress

Send = Callable[[ImageProgress | StreamEnd], bool]

_log = logging.getLogger(__name__)


class Fetching(Protocol):
    """What fetches an image."""

    def fetch(self, image: str, on_bytes: Callable[[int, int], None]) -> None:
        """Fetch an image unless it is here; `on_bytes` hears how many have come, of how many."""


def start_fetch(engine: Fetching, request: FetchImage, send: Send) -> None:
    """Fetch an image in a thread of its own, and tell how it goes."""
    threading.Thread(
        target=_fetch, args=(engine, request, send), name="fetch image", daemon=True
    ).start()


def _fetch(engine: Fetching, request: FetchImage, send: Send) -> None:
    reported = 0

    def report(done: int, size: int) -> None:
        nonlocal reported
        if done - reported >= REPORT_BYTES:
            reported = done
            send(ImageProgress(stream_id=request.stream_id, done_bytes=done, size_bytes=size))

    error = ""
    try:
        engine.fetch(request.image, report)
    except DriverFailure as failure:
        error = failure.reason
    except Exception as fault:  # noqa: BLE001  # top of a thread; the manager is told why
        _log.exception("image %s could not be fetched", request.image)
        error = f"the agent failed to fetch it: {fault}"
    if error:
        _log.warning("image %s is not fetched: %s", request.image, error)
    send(StreamEnd(stream_id=request.stream_id, error=error))
