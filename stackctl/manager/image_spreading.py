"""Images brought to the nodes that will need them, before tasks do, while somebody watches.

Nodes fetch by themselves what a task lacks; this only does it earlier, so that an update does not
wait for it slot by slot, and so that a node that cannot is known before anything is changed. A node
whose agent hangs on another manager is asked through that one.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable

from stackctl.core.scheduling.image_places import ImagePlace
from stackctl.errors import ClusterUnavailable
from stackctl.manager.agent_session import AgentSession
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel
from stackctl.wire import agent_protocol as protocol
from stackctl.wire import api, codec

PATH = "/v1/internal/images"
NODES_AT_ONCE_MAX = 8  # one manager's disk and link serve them all
FETCHING, DONE, FAILED, ABSENT = "fetching", "done", "failed", "absent"


class FetchOrder(StrictModel, frozen=True, kw_only=True):
    """One image for one node."""

    image: str
    node_id: str
    hostname: str


async def spread(
    parts: Parts, places: Iterable[ImagePlace]
) -> AsyncGenerator[api.ImageTransfer, None]:
    """How it goes at each place, as it comes; each place ends with done, failed or absent."""
    asked = []
    for place in places:
        if place.absence:
            yield api.ImageTransfer(
                image=place.image, node=place.hostname, state=ABSENT, error=place.absence
            )
        else:
            asked.append(place)
    news: asyncio.Queue[api.ImageTransfer] = asyncio.Queue(1)
    room = asyncio.Semaphore(NODES_AT_ONCE_MAX)

    async def bring(place: ImagePlace) -> None:
        order = FetchOrder(image=place.image, node_id=place.node_id, hostname=place.hostname)
        async with room, contextlib.aclosing(bring_to_node(parts, order)) as steps:
            async for step in steps:
                await news.put(step)

    tasks = [asyncio.create_task(bring(place)) for place in asked]
    left = len(tasks)
    try:
        while left:
            step = await news.get()
            left -= step.state != FETCHING
            yield step
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def bring_to_node(parts: Parts, order: FetchOrder) -> AsyncGenerator[api.ImageTransfer, None]:
    """How one image comes to one node, whichever manager its agent hangs on; the end last."""
    session = parts.sessions.find(order.node_id)
    if session is not None:
        steps = bring_to_session(session, order)
    else:
        steps = _through_manager(parts, order)
    async with contextlib.aclosing(steps):
        async for step in steps:
            yield step


async def bring_to_session(
    session: AgentSession, order: FetchOrder
) -> AsyncGenerator[api.ImageTransfer, None]:
    """What a connected agent says of it."""
    yield _transfer(order, FETCHING)
    stream = session.open_image(order.image)
    try:
        async for frame in stream.frames():
            if isinstance(frame, protocol.StreamEnd):
                yield _transfer(order, FAILED if frame.error else DONE, error=frame.error)
            else:
                yield _transfer(
                    order, FETCHING, done_bytes=frame.done_bytes, size_bytes=frame.size_bytes
                )
    finally:
        stream.close()


async def _through_manager(
    parts: Parts, order: FetchOrder
) -> AsyncGenerator[api.ImageTransfer, None]:
    node = parts.cluster.state.nodes.get(order.node_id)
    manager_id = node.session_manager_id if node is not None else ""
    if not manager_id or manager_id == parts.identity.node_id:
        yield _transfer(order, FAILED, error="the node is not connected")
        return
    lines = parts.peers.lines(manager_id, PATH, body=order)
    step = None
    try:
        async with contextlib.aclosing(lines):
            async for line in lines:
                step = codec.from_json(line, api.ImageTransfer)
                yield step
    except (ClusterUnavailable, codec.Undecodable) as error:
        yield _transfer(order, FAILED, error=str(error))
        return
    if step is None or step.state == FETCHING:
        yield _transfer(order, FAILED, error="the other manager broke off")


def _transfer(
    order: FetchOrder, state: str, *, done_bytes: int = 0, size_bytes: int = 0, error: str = ""
) -> api.ImageTransfer:
    return api.ImageTransfer(
        image=order.image,
        node=order.hostname,
        state=state,
        done_bytes=done_bytes,
        size_bytes=size_bytes,
        error=error,
    )
