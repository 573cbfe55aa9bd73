"""Images of the cluster's own: handed over by people, fetched by nodes and by other managers."""

import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web

from stackctl.core.scheduling.image_places import image_places
from stackctl.errors import InputError, UnknownName
from stackctl.manager import image_spreading
from stackctl.manager.calls import Call
from stackctl.manager.image_spreading import FetchOrder
from stackctl.manager.image_store import check_reference
from stackctl.manager.parts import Parts
from stackctl.model import specs
from stackctl.model.structs import StrictModel
from stackctl.wire import api, codec

PIECE_BYTES = 256 << 10


class ImageQuery(StrictModel, frozen=True, kw_only=True):
    """Which image."""

    reference: str = ""


async def list_images(parts: Parts, _call: Call) -> list[api.ImageView]:
    """The images that this manager holds."""
    return parts.images.all()


async def put_image(parts: Parts, call: Call) -> api.ImageView:
    """Takes an image while it arrives; it is never in memory as a whole."""
    query: ImageQuery = call.query
    if call.request.content_type == "application/json":
        raise InputError("the body is no image: docker save IMAGE writes one")
    content = call.request.content.iter_chunked(PIECE_BYTES)
    stored = await parts.images.put(query.reference, content)
    parts.image_keeping.note_arrival()
    return stored


async def spread_images(parts: Parts, call: Call) -> web.StreamResponse:
    """Has the nodes fetch the images that a stack will need of them; says how it goes."""
    spec: specs.StackSpec = call.body
    state = await parts.cluster.read()
    places = image_places(spec.services, state.nodes.values())
    return await _stream(call, image_spreading.spread(parts, places))


async def fetch_image(parts: Parts, call: Call) -> web.StreamResponse:
    """Has a node fetch an image whose agent hangs on this manager; for other managers."""
    order: FetchOrder = call.body
    session = parts.sessions.find(order.node_id)
    if session is None:
        raise UnknownName("session of node", order.node_id)
    return await _stream(call, image_spreading.bring_to_session(session, order))


async def _stream(call: Call, steps: AsyncGenerator[api.ImageTransfer, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(call.request)
    with contextlib.suppress(ConnectionError):  # the reader left
        async with contextlib.aclosing(steps):
            async for step in steps:
                await response.write(codec.to_json(step) + b"\n")
        await response.write_eof()
    return response


async def get_image(parts: Parts, call: Call) -> web.StreamResponse:
    """The content of an image that this manager holds; others may have what it lacks."""
    query: ImageQuery = call.query
    check_reference(query.reference)
    path = parts.images.find(query.reference)
    if path is None:
        raise UnknownName("image on this manager", query.reference)
    return web.FileResponse(
        path, chunk_size=PIECE_BYTES, headers={"Content-Type": "application/x-tar"}
    )
