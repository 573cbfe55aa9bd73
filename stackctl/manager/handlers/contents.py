"""Configs and secrets: reading only, they come with stacks. No answer holds what they say."""

from stackctl.manager.calls import Call
from stackctl.manager.handlers.services import StackQuery
from stackctl.manager.parts import Parts
from stackctl.state import content_queries, contents
from stackctl.wire import api


async def list_configs(parts: Parts, call: Call) -> list[api.ContentView]:
    """Contents of configs, all or those of a stack."""
    return await _list(parts, call, contents.CONFIG)


async def list_secrets(parts: Parts, call: Call) -> list[api.ContentView]:
    """Contents of secrets, all or those of a stack."""
    return await _list(parts, call, contents.SECRET)


async def get_config(parts: Parts, call: Call) -> api.ContentView:
    """One content of a config."""
    return await _get(parts, call, contents.CONFIG)


async def get_secret(parts: Parts, call: Call) -> api.ContentView:
    """One content of a secret."""
    return await _get(parts, call, contents.SECRET)


async def _list(parts: Parts, call: Call, kind: str) -> list[api.ContentView]:
    query: StackQuery = call.query
    return content_queries.list_contents(await parts.cluster.read(), kind, stack=query.stack)


async def _get(parts: Parts, call: Call, kind: str) -> api.ContentView:
    state = await parts.cluster.read()
    found = content_queries.find_content(state, kind, call.path["ref"])
    return content_queries.content_view(state, found)
