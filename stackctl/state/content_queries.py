"""Configs and secrets for people: each content of a name, and who mounts it; never what it says."""

from stackctl.errors import UnknownName
from stackctl.state import contents
from stackctl.state.cluster import ClusterState
from stackctl.state.contents import Content
from stackctl.wire import api

DIGEST_DIGITS = 12


def list_contents(state: ClusterState, kind: str, *, stack: str = "") -> list[api.ContentView]:
    """Configs or secrets, of one stack or all; of a name the newest first."""
    found = [
        content
        for content in contents.every_content(state)
        if contents.kind_of(content) == kind and stack in {"", content.stack_name}
    ]
    found.sort(key=lambda content: (content.name, -content.number))
    return [content_view(state, content) for content in found]


def find_content(state: ClusterState, kind: str, reference: str) -> Content:
    """The content that a name means now, or the one with that id or unique id prefix.

    Raises UnknownName.
    """
    current = contents.find_current(state, kind, reference)
    if current is not None:
        return current
    held = [item for item in contents.every_content(state) if contents.kind_of(item) == kind]
    found = [item for item in held if reference and item.id.startswith(reference)]
    if len(found) == 1:
        return found[0]
    raise UnknownName(kind, reference, known=sorted({item.name for item in held}))


def content_view(state: ClusterState, content: Content) -> api.ContentView:
    """One content."""
    used_by: set[str] = set()
    kept_for: set[str] = set()
    for service, revision in contents.users(state, content):
        (used_by if revision == service.revision else kept_for).add(service.name)
    return api.ContentView(
        id=content.id,
        kind=contents.kind_of(content),
        name=content.name,
        stack=content.stack_name,
        number=content.number,
        digest=contents.digest_of(content)[:DIGEST_DIGITS],
        is_current=contents.is_current(state, content) and not content.removing,
        used_by=tuple(sorted(used_by)),
        kept_for=tuple(sorted(kept_for - used_by)),
        labels=content.spec.labels,
        created_at=content.created_at,
        removing=content.removing,
    )
