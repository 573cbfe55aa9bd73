"""Refusals: how an error becomes an HTTP answer. Blame is in the type, so the status is too.

A client never sees a traceback: what we did not expect is answered with a log id, under which the
manager's log has it.
"""

import logging

from aiohttp import web

from stackctl import errors
from stackctl.manager import clock
from stackctl.model import ids
from stackctl.state.results import Rejection
from stackctl.wire import api, codec

_log = logging.getLogger(__name__)

_STATUSES = {
    "input": 400,
    "denied": 403,
    "unknown-name": 404,
    "conflict": 409,
    "internal": 500,
    "unavailable": 503,
}
_KINDS: tuple[tuple[type[errors.StackctlError], str], ...] = (
    (errors.UnknownName, "unknown-name"),
    (errors.InputError, "input"),
    (errors.Denied, "denied"),
    (errors.Conflict, "conflict"),
    (errors.ClusterUnavailable, "unavailable"),
)


def body_of(error: errors.StackctlError | Rejection) -> api.ErrorBody:
    """What a client reads about an error of ours."""
    if isinstance(error, Rejection):
        return error.error
    kind = next((kind for family, kind in _KINDS if isinstance(error, family)), "internal")
    return api.ErrorBody(
        kind=kind, message=error.message, hint=error.hint or "", exit_code=error.exit_code
    )


def answer(body: api.ErrorBody, *, status: int | None = None) -> web.Response:
    """The HTTP answer with that body."""
    return web.Response(
        status=status or _STATUSES.get(body.kind, 500),
        body=codec.to_json(body),
        content_type="application/json",
    )


def answer_http_error(error: web.HTTPException, *, method: str, path: str) -> web.Response:
    """The answer for what the HTTP library refuses: unknown paths, methods, bodies too large."""
    kind, message, hint = "input", f"{method} {path}: {error.reason}", ""
    if error.status == 404:
        kind, message = "unknown-name", f"no such path: {path}"
        hint = "this manager may be older than the program that asks it"
    elif error.status == 413:
        message = f"{method} {path}: the body is too large"
    return answer(
        api.ErrorBody(kind=kind, message=message, hint=hint, exit_code=2), status=error.status
    )


def answer_unexpected(error: Exception, *, method: str, path: str) -> web.Response:
    """The answer for a fault of our own, which goes into the log."""
    log_id = ids.short_id(clock.new_id())
    _log.error("%s %s failed, log id %s", method, path, log_id, exc_info=error)
    message = f"the manager failed to answer {method} {path}"
    hint = f"its log has the reason under {log_id}"
    return answer(api.ErrorBody(kind="internal", message=message, hint=hint))
