"""The top-level `configs` and `secrets`: files that the cluster or the engine hands to containers.

Each has one source: a file, a variable, content in the Compose file, a driver of the engine, or
somebody else who made it. What a secret contains is never part of a message.
"""

from typing import NamedTuple, TypeVar

from stackctl.compose.grammar.names import CONFIG_NAME_LENGTH_MAX
from stackctl.compose.parts.objects import Config, FileObject, Secret
from stackctl.compose.problems import shown
from stackctl.compose.read import read_bytes
from stackctl.compose.sections.naming import read_naming, refuse_beside_external
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, labels, options, text

F = TypeVar("F", bound=FileObject)


class Kind(NamedTuple):
    """What configs and secrets differ in."""

    word: str
    bytes_max: int
    usual: str  # a source beside a file


CONFIG = Kind("config", 1000 << 10, "content")
SECRET = Kind("secret", 500 << 10, "environment")

_SOURCES = ("file", "environment", "content", "driver")


class _Source(NamedTuple):
    """Where the content comes from, and the content, if it is there to be read."""

    file: str = ""
    environment: str = ""
    content: str | None = None
    driver: str = ""
    data: bytes | None = None


def read_config(key: str, value: Value, stack_name: str) -> Config:
    """One config with its content."""
    return _file_object(key, value, stack_name, Config)


def read_secret(key: str, value: Value, stack_name: str) -> Secret:
    """One secret with its content."""
    secret = _file_object(key, value, stack_name, Secret)
    if secret.content is not None:
        value.note("what is written in the Compose file is no secret")
    return secret


def _file_object(key: str, value: Value, stack_name: str, of: type[F]) -> F:
    kind = SECRET if of is Secret else CONFIG
    fields = Fields(value)
    naming = read_naming(
        fields, key=key, value=value, stack_name=stack_name, length_max=CONFIG_NAME_LENGTH_MAX
    )
    sources = {name: fields.get(name) for name in _SOURCES}
    written = {name: source for name, source in sources.items() if source is not None}
    source = _Source()
    if naming.external:
        refuse_beside_external(value)
    else:
        source = _source(written, kind)
        _check_sources(value, written, kind)
    found = of(
        key,
        value.key_place,
        naming.name,
        external=naming.external,
        labels=fields.read("labels", labels, {}),
        file=source.file,
        environment=source.environment,
        content=source.content,
        data=source.data,
        driver=source.driver,
        driver_options=fields.read("driver_opts", options, {}),
        template_driver=fields.read("template_driver", filled_text, ""),
        extensions=fields.extensions(),
    )
    fields.finish()
    return found


def _check_sources(value: Value, written: dict[str, Value], kind: Kind) -> None:
    first, *others = written or [""]
    for name in others:
        written[name].key_problem(f"excludes {first}", "keep one of the two")
    if not first and value.is_mapping():
        value.key_problem(f"has neither file nor {kind.usual}", "add file: PATH")


def _source(written: dict[str, Value], kind: Kind) -> _Source:
    """What the source gives; several are reported elsewhere, and none is read."""
    if len(written) != 1:
        return _Source()
    ((name, value),) = written.items()
    if name == "content":
        content = text(value)
        return _Source(content=content, data=_bounded(value, content.encode(), kind))
    given = filled_text(value)
    if name == "driver":
        return _Source(driver=given)
    if name == "environment":
        return _Source(environment=given, data=_variable(value, given, kind))
    return _located_file(value, given, kind)


def _variable(value: Value, name: str, kind: Kind) -> bytes:
    if not value.needs_contents:
        return b""
    content = value.reading.variables(name) if name else ""
    if content is None:
        value.problem(f"the variable {shown(name)} is not set", "set it, or use file:")
        return b""
    return _bounded(value, content.encode(), kind)


def _located_file(value: Value, written: str, kind: Kind) -> _Source:
    if not written:
        return _Source()
    reading = value.reading
    path = ""
    try:
        path = absolute_path(written, reading)
        if not value.needs_contents:
            return _Source(file=path)
        return _Source(file=path, data=read_bytes(reading.base / path, bytes_max=kind.bytes_max))
    except ValueError as error:
        value.problem(str(error))
    return _Source(file=path, data=b"")


def _bounded(value: Value, content: bytes, kind: Kind) -> bytes:
    if len(content) > kind.bytes_max:
        most, size = kind.bytes_max >> 10, len(content) >> 10
        value.problem(f"a {kind.word} has at most {most} KiB, and this one has {size}")
    return content
