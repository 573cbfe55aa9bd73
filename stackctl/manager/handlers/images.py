"""Images of the cluster's own: handed over by people, fetched by nodes and by other managers."""

from aiohttp import web

from stackctl.errors import InputError, UnknownName
from stackctl.manager.calls import Call
from stackctl.manager.image_store import check_reference
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel
from stackctl.wire import api

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
