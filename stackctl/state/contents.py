"""Configs and secrets by content: one name, several contents, each an object of its own.

A content's id follows from its kind, name and digest, so the same file deployed again is the same
object and changes nothing, while a changed one is another object under the same name. Services
remember by id what each of their revisions mounts: a changed content is a new revision of exactly
the services that use it, and a rollback finds the content it had. What is neither meant by its name
nor used by any kept revision is dropped.

Secrets differ in one thing: what gets here is sealed. Their digest is keyed, so it tells nobody
what the content is, and sealing the same content again changes nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from immutables import Map
from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.ids import derive_id
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.results import Rejection
from stackctl.wire import api

CONFIG, SECRET = "config", "secret"

Content = objects.Config | objects.Secret


class ContentIds(msgspec.Struct, frozen=True):
    """What one revision of a service mounts: ids of contents by name."""

    configs: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}


NOTHING = ContentIds()


def kind_of(content: Content) -> str:
    """`config` or `secret`."""
    return SECRET if isinstance(content, objects.Secret) else CONFIG


def digest_of(content: Content) -> str:
    """Hexadecimal; equal exactly for equal contents of the same name. A secret's is keyed."""
    if isinstance(content, objects.Secret):
        return content.content.digest
    return hashlib.sha256(content.spec.content).hexdigest()


def every_content(state: ClusterState | Draft) -> Iterator[Content]:
    """All contents, in no particular order."""
    yield from state.configs.values()
    yield from state.secrets.values()


def is_current(state: ClusterState | Draft, content: Content) -> bool:
    """True for the content that its name means now."""
    return _current_ids(state, kind_of(content)).get(content.name) == content.id


def find_current(state: ClusterState | Draft, kind: str, name: str) -> Content | None:
    """The content that a name means now; None when there is none."""
    content_id = _current_ids(state, kind).get(name)
    return None if content_id is None else _of_kind(state, kind)[content_id]


def ids_of_revision(service: objects.Service, revision: int) -> ContentIds:
    """What a revision of a service mounts."""
    return ContentIds(
        configs=service.config_ids.get(revision, {}), secrets=service.secret_ids.get(revision, {})
    )


def ids_for(draft: Draft, spec: specs.ServiceSpec) -> ContentIds:
    """What a service that is deployed now mounts: the current contents."""
    container = spec.task.container
    return ContentIds(
        configs={item.name: draft.config_ids[item.name] for item in container.configs},
        secrets={item.name: draft.secret_ids[item.name] for item in container.secrets},
    )


def ids_kept(draft: Draft, spec: specs.ServiceSpec, held: ContentIds) -> ContentIds:
    """What a service mounts whose files nobody has given anew: what it mounts already, and the
    current contents of what it did not mount before.
    """
    container = spec.task.container
    return ContentIds(
        configs=_kept((item.name for item in container.configs), held.configs, draft.config_ids),
        secrets=_kept((item.name for item in container.secrets), held.secrets, draft.secret_ids),
    )


def _kept(
    names: Iterable[str], held: Mapping[str, str], current: Mapping[str, str]
) -> Mapping[str, str]:
    found = {name: held.get(name, current.get(name, "")) for name in names}
    return {name: key for name, key in found.items() if key}


def users(state: ClusterState | Draft, content: Content) -> Iterator[tuple[objects.Service, int]]:
    """Services and the revisions of theirs that mount the content."""
    is_secret = isinstance(content, objects.Secret)
    for service in state.services.values():
        for revision, by_name in (service.secret_ids if is_secret else service.config_ids).items():
            if by_name.get(content.name) == content.id:
                yield service, revision


def check_sealed(spec: specs.StackSpec, sealed: Iterable[objects.SealedContent]) -> None:
    """Raises Rejection unless each secret of the stack comes sealed, and only sealed."""
    names = [content.name for content in sealed]
    for secret in spec.secrets:
        if secret.content:
            raise Rejection("internal", f"secret {secret.name} came in clear")
        if names.count(secret.name) != 1:
            raise Rejection("internal", f"secret {secret.name} came without its content")


def put_contents(
    draft: Draft,
    spec: specs.StackSpec,
    *,
    sealed: Iterable[objects.SealedContent],
    now: float,
) -> Iterator[api.Change]:
    """Makes the contents of a stack the current ones; what changed, one by one."""
    for config in spec.configs:
        digest = hashlib.sha256(config.content).digest()
        yield _put(
            draft,
            objects.Config(
                id=derive_id(digest, CONFIG, config.name),
                spec=config,
                stack_name=spec.name,
                created_at=now,
            ),
        )
    by_name = {content.name: content for content in sealed}
    for secret in spec.secrets:
        content = by_name[secret.name]
        yield _put(
            draft,
            objects.Secret(
                id=derive_id(content.digest.encode(), SECRET, secret.name),
                spec=secret,
                content=content,
                stack_name=spec.name,
                created_at=now,
            ),
        )


def put(draft: Draft, content: Content, *, is_current: bool) -> None:
    """Stores one content; the current one is what its name means from now on."""
    if isinstance(content, objects.Secret):
        draft.put_secret(content, is_current=is_current)
    else:
        draft.put_config(content, is_current=is_current)


def mark_removed(draft: Draft, content: Content) -> None:
    """The content goes when no revision uses it any longer."""
    put(draft, replace(content, removing=True), is_current=False)


def _put(draft: Draft, wanted: Content) -> api.Change:
    kind, name = kind_of(wanted), wanted.name
    of_kind = _of_kind(draft, kind)
    current_id = _current_ids(draft, kind).get(name)
    held = of_kind.get(wanted.id)
    if held is None:
        numbers = [other.number for other in of_kind.values() if other.name == name]
        wanted = replace(wanted, number=max(numbers, default=0) + 1)
    else:  # sealed again it would have other bytes; what is held stays
        wanted = replace(held, spec=wanted.spec, removing=False)
        if wanted == held and current_id == held.id:
            return api.Change(action="unchanged", kind=kind, name=name)
    put(draft, wanted, is_current=True)
    if current_id is None:
        return api.Change(action="create", kind=kind, name=name, cause="new in the file")
    cause = "labels changed" if current_id == wanted.id else "content changed"
    return api.Change(action="update", kind=kind, name=name, cause=cause)


def _of_kind(
    state: ClusterState | Draft, kind: str
) -> Map[str, objects.Secret] | Map[str, objects.Config]:
    return state.secrets if kind == SECRET else state.configs


def _current_ids(state: ClusterState | Draft, kind: str) -> Map[str, str]:
    return state.secret_ids if kind == SECRET else state.config_ids
