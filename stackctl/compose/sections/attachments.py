"""What a service takes from the rest of the file: its networks and its configs."""

from stackctl.compose.document import ConfigUse, NetworkUse
from stackctl.compose.grammar.names import is_alias
from stackctl.compose.problems import shown
from stackctl.compose.sections.paths import container_path, file_mode
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, text
from stackctl.compose.sections.unsupported import SERVICE_NETWORK

DEFAULT_NETWORK = "default"


def read_networks(value: Value) -> tuple[NetworkUse, ...]:
    """The networks of a service: a list of keys, or a mapping with settings for each."""
    if value.is_mapping():
        return tuple(_network(key, inner) for key, inner in value.entries().items())
    uses: dict[str, NetworkUse] = {}
    for item in value.items("a list or a mapping of networks"):
        key = filled_text(item)
        if key in uses:
            item.problem(f"network {shown(key)} is named twice")
        uses[key] = NetworkUse(key, item.place)
    return tuple(uses.values())


def read_configs(value: Value) -> tuple[ConfigUse, ...]:
    """The configs of a service; the short form puts NAME at `/NAME`."""
    uses = (
        _long_config(item) if item.is_mapping() else _short_config(item)
        for item in value.items("a list of configs")
    )
    return tuple(use for use in uses if use is not None)


def _network(key: str, value: Value) -> NetworkUse:
    if value.is_null:
        return NetworkUse(key, value.key_place)
    fields = Fields(value)
    aliases = fields.get("aliases")
    fields.finish(SERVICE_NETWORK)
    names: list[str] = []
    for item in [] if aliases is None else aliases.items("a list of names"):
        name = text(item)
        if isinstance(item.written, str) and not is_alias(name):
            item.problem(f"{shown(name)!r} cannot be looked up: letters, digits, -, _ and . only")
        names.append(name)
    return NetworkUse(key, value.key_place, tuple(dict.fromkeys(names)))


def _short_config(item: Value) -> ConfigUse | None:
    key = filled_text(item)
    if not key:
        return None
    return ConfigUse(key, item.place, container_path(item, f"/{key}"))


def _long_config(item: Value) -> ConfigUse | None:
    fields = Fields(item)
    source = fields.get("source")
    target = fields.get("target")
    uid = fields.read("uid", _numeric_id, "0")
    gid = fields.read("gid", _numeric_id, "0")
    mode = fields.read("mode", file_mode, 0o444)
    fields.finish({})
    if source is None:
        item.problem("no source is given", "add source: and the config's key")
        return None
    key = filled_text(source)
    # A target without a slash is meant to lie in the root, as in the short form.
    path = f"/{key}" if target is None else f"/{filled_text(target)}"
    return ConfigUse(
        key,
        source.place,
        container_path(item if target is None else target, path),
        uid=uid,
        gid=gid,
        mode=mode,
    )


def _numeric_id(value: Value) -> str:
    written = text(value)
    if isinstance(value.written, str) and not (written.isascii() and written.isdecimal()):
        value.problem(f"must be a number in quotes, not {shown(written)!r}")
    return written
