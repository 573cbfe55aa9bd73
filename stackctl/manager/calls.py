"""Calls: one request as handlers see it, and the words the route table is written in.

A route names everything a caller must know: method, path, what the query and the body may hold,
what comes back, who may ask. The server takes routing, decoding and authorisation from it.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

from stackctl.errors import Denied
from stackctl.manager.callers import Caller
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel


class Audience(StrEnum):
    """Who may use a route. People on the unix socket and managers may use all of them."""

    ANYONE = "anyone"  # even without a certificate
    NODE = "node"  # every node; workers may only ask about themselves
    OPERATOR = "operator"  # the unix socket, and managers


class NoQuery(StrictModel, frozen=True, kw_only=True):
    """A path that takes no query."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, decoded as its route says."""

    caller: Caller
    path: Mapping[str, str]
    query: Any  # of the route's query struct
    body: Any  # of the route's request struct, None without one
    request: web.Request

    def reference(self, self_id: str) -> str:
        """The `ref` in the path; `self` is the caller's node, for people that of the manager."""
        text = self.path["ref"]
        if text != "self":
            return text
        return self.caller.node_id or self_id


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. `response` None: the handler writes the answer itself."""

    method: str
    path: str
    handler: Callable[[Parts, Call], Awaitable[object]]
    summary: str
    response: Any = None
    request: Any = None
    query: type[StrictModel] = NoQuery
    audience: Audience = Audience.OPERATOR
    status: int = 200


def check_audience(route: Route, caller: Caller) -> None:
    """Raises Denied when the caller may not use the route."""
    if caller.is_operator or route.audience == Audience.ANYONE:
        return
    if caller.kind == "worker" and route.audience == Audience.NODE:
        return
    who = f"node {caller.node_id}" if caller.node_id else "a caller without a certificate"
    raise Denied(
        f"{who} may not use {route.method} {route.path}",
        hint="run the command on a manager node, over its unix socket",
    )


def check_about_itself(caller: Caller, node_id: str) -> None:
    """Raises Denied when a worker asks about another node than its own."""
    if caller.kind == "worker" and caller.node_id != node_id:
        raise Denied(f"node {caller.node_id} may only read about itself")
