"""`build`: how an image is made, as a context alone or as a mapping.

Local folders become absolute, because a build may start from anywhere; what the builder fetches by
itself (a URL, a repository, another service's image) stays as it is written.
"""

from stackctl.compose.grammar.build_contexts import is_other_service, is_remote
from stackctl.compose.parts.attachments import SecretUse
from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, shown
from stackctl.compose.sections import kernel, resolution
from stackctl.compose.sections.attachments import read_build_secrets
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    byte_size,
    filled_text,
    labels,
    named_values,
    text,
    text_list,
    text_or_list,
)

_BOOLEAN_WORDS = ("true", "false")
_NO_SECRETS: tuple[SecretUse, ...] = ()


def read_build(value: Value) -> Build:
    """The build of a service; a text is its context."""
    if not value.is_mapping():
        return Build(value.place, _context(value))
    fields = Fields(value, "a context or a mapping")
    context = fields.get("context")
    dockerfile = fields.get("dockerfile")
    inline = fields.get("dockerfile_inline")
    if dockerfile is not None and inline is not None:
        inline.key_problem("excludes dockerfile", "keep one of the two")
    contexts = fields.get("additional_contexts")
    named = {} if contexts is None else _additional_contexts(contexts)
    build = Build(
        value.key_place,
        context=_base(value) if context is None else _context(context),
        dockerfile="" if dockerfile is None else filled_text(dockerfile),
        dockerfile_inline="" if inline is None else filled_text(inline),
        arguments=fields.read("args", _arguments, {}),
        additional_contexts={name: context for name, (context, _) in named.items()},
        context_places={name: place for name, (_, place) in named.items()},
        cache_from=fields.read("cache_from", text_list, ()),
        cache_to=fields.read("cache_to", text_list, ()),
        no_cache=fields.read("no_cache", boolean, False),
        no_cache_filter=fields.read("no_cache_filter", text_or_list, ()),
        pull=fields.read("pull", boolean, False),
        target=fields.read("target", text, ""),
        network=fields.read("network", text, ""),
        platforms=fields.read("platforms", text_list, ()),
        privileged=fields.read("privileged", boolean, False),
        provenance=fields.read("provenance", _switch_or_settings, ""),
        sbom=fields.read("sbom", _switch_or_settings, ""),
        entitlements=fields.read("entitlements", text_list, ()),
        isolation=fields.read("isolation", text, ""),
        secrets=fields.read("secrets", read_build_secrets, _NO_SECRETS),
        shm_size_bytes=fields.read("shm_size", byte_size, 0),
        ssh=fields.read("ssh", _ssh, {}),
        tags=fields.read("tags", text_list, ()),
        labels=fields.read("labels", labels, {}),
        extra_hosts=fields.read("extra_hosts", resolution.read_extra_hosts, ()),
        ulimits=fields.read("ulimits", kernel.read_ulimits, ()),
    )
    fields.finish()
    return build


def _context(value: Value) -> str:
    written = filled_text(value)
    return _located(value, written) if written else _base(value)


def _base(value: Value) -> str:
    return str(value.reading.base)


def _located(value: Value, written: str) -> str:
    """A context as the builder takes it."""
    if is_remote(written) or is_other_service(written):
        return written
    try:
        return absolute_path(written, value.reading)
    except ValueError as error:
        value.problem(str(error))
        return written


def _arguments(value: Value) -> dict[str, str | None]:
    return {entry.name: entry.content for entry in named_values(value)}


def _additional_contexts(value: Value) -> dict[str, tuple[str, Place]]:
    found: dict[str, tuple[str, Place]] = {}
    for entry in named_values(value):
        if not entry.content:
            entry.problem(f"context {shown(entry.name)} names nothing", "write NAME=PATH")
            continue
        found[entry.name] = (_located(entry.value, entry.content), entry.value.place)
    return found


def _switch_or_settings(value: Value) -> str:
    """true, false, or settings such as `mode=max`, as the builder takes them."""
    if isinstance(value.written, bool):
        return _BOOLEAN_WORDS[not value.written]
    written = filled_text(value)
    return written.lower() if written.lower() in _BOOLEAN_WORDS else written


def _ssh(value: Value) -> dict[str, str]:
    """Agents and keys by id; the id alone stands for the caller's agent."""
    if isinstance(value.written, str):
        name, _, content = filled_text(value).partition("=")
        return {name: content} if name else {}
    found: dict[str, str] = {}
    for entry in named_values(value):
        if entry.name != "default" and not entry.content:
            entry.problem(
                f"ssh {shown(entry.name)} names no socket and no key", "write ID=PATH, or default"
            )
        found[entry.name] = entry.content or ""
    return found
