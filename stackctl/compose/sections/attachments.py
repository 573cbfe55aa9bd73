"""What a service takes from the rest of the file: its networks, configs and secrets."""

import ipaddress
import re
from typing import TypeVar

from stackctl.compose.grammar.names import is_alias
from stackctl.compose.parts.attachments import (
    ConfigUse,
    CredentialSpec,
    FileUse,
    NetworkUse,
    SecretUse,
)
from stackctl.compose.problems import shown
from stackctl.compose.sections.kernel import read_signal
from stackctl.compose.sections.own_keys import ON_CHANGE
from stackctl.compose.sections.paths import absolute_path, container_path, file_mode
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, integer, options, text

DEFAULT_NETWORK = "default"

U = TypeVar("U", bound=FileUse)

_SECRETS_FOLDER = "/run/secrets/"
_MAC_ADDRESS = re.compile(r"[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}")
_INTERFACE_NAME = re.compile(r"[^\s/:%]{1,15}")  # the kernel's IFNAMSIZ is 16
_PRIORITY_MAX = 2**31 - 1


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
    return _file_uses(value, ConfigUse, folder="/")


def read_secrets(value: Value) -> tuple[SecretUse, ...]:
    """The secrets of a service; the short form puts NAME at `/run/secrets/NAME`."""
    return _file_uses(value, SecretUse, folder=_SECRETS_FOLDER)


def read_build_secrets(value: Value) -> tuple[SecretUse, ...]:
    """The secrets of a build, of whose changes nobody is told."""
    for item in value.items("a list of secrets"):
        fields = Fields(item) if item.is_mapping() else None
        told = fields.get(ON_CHANGE) if fields is not None and ON_CHANGE in fields else None
        if told is not None:
            told.key_problem("belongs to a service's configs and secrets", "remove it")
    return read_secrets(value)


def read_credential_spec(value: Value) -> CredentialSpec:
    """The credentials of a managed service account; one source only."""
    fields = Fields(value)
    config, file, registry = (fields.get(name) for name in ("config", "file", "registry"))
    fields.finish()
    sources = [source for source in (config, file, registry) if source is not None]
    if value.is_mapping() and not sources:
        value.key_problem("names nothing", "add config:, file: or registry:")
    for source in sources[1:]:
        source.key_problem("a service has one credential spec", "keep one of the keys")
    return CredentialSpec(
        value.key_place,
        config="" if config is None else filled_text(config),
        file="" if file is None else _local_path(file),
        registry="" if registry is None else filled_text(registry),
    )


def read_mac_address(value: Value) -> str:
    """Six bytes in hexadecimal, in lower case and with colons between."""
    written = text(value)
    if isinstance(value.written, str) and not _MAC_ADDRESS.fullmatch(written):
        value.problem(f"{shown(written)!r} is no MAC address such as 02:42:ac:11:00:02")
    return written.lower().replace("-", ":")


def _network(key: str, value: Value) -> NetworkUse:
    if value.is_null:
        return NetworkUse(key, value.key_place)
    fields = Fields(value)
    use = NetworkUse(
        key,
        value.key_place,
        aliases=fields.read("aliases", _aliases, ()),
        ipv4_address=fields.read("ipv4_address", _ipv4_address, ""),
        ipv6_address=fields.read("ipv6_address", _ipv6_address, ""),
        link_local_ips=fields.read("link_local_ips", _link_local_ips, ()),
        mac_address=fields.read("mac_address", read_mac_address, ""),
        driver_options=fields.read("driver_opts", options, {}),
        priority=fields.read("priority", _priority, 0),
        gateway_priority=fields.read("gw_priority", _priority, 0),
        interface_name=fields.read("interface_name", _interface_name, ""),
    )
    fields.finish()
    return use


def _aliases(value: Value) -> tuple[str, ...]:
    names: list[str] = []
    for item in value.items("a list of names"):
        name = text(item)
        if isinstance(item.written, str) and not is_alias(name):
            item.problem(f"{shown(name)!r} cannot be looked up: letters, digits, -, _ and . only")
        names.append(name)
    return tuple(dict.fromkeys(names))


def _ipv4_address(value: Value) -> str:
    return _address(value, 4)


def _ipv6_address(value: Value) -> str:
    return _address(value, 6)


def _link_local_ips(value: Value) -> tuple[str, ...]:
    return tuple(_address(item, None) for item in value.items("a list of addresses"))


def _address(value: Value, version: int | None) -> str:
    """An address in its shortest form; with None, of either version."""
    written = text(value)
    if not isinstance(value.written, str):
        return ""
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        address = None
    if address is None or (version is not None and address.version != version):
        kind = "IP" if version is None else f"IPv{version}"
        value.problem(f"{shown(written)!r} is no {kind} address")
        return ""
    return str(address)


def _priority(value: Value) -> int:
    return integer(minimum=-_PRIORITY_MAX, maximum=_PRIORITY_MAX)(value)


def _interface_name(value: Value) -> str:
    written = filled_text(value)
    if written and (not _INTERFACE_NAME.fullmatch(written) or written in (".", "..")):
        value.problem(f"{shown(written)!r} is no name of an interface: at most 15 characters")
    return written


def _file_uses(value: Value, kind: type[U], *, folder: str) -> tuple[U, ...]:
    what = "secrets" if kind is SecretUse else "configs"
    uses = (
        _long_use(item, kind, folder) if item.is_mapping() else _short_use(item, kind, folder)
        for item in value.items(f"a list of {what}")
    )
    return tuple(use for use in uses if use is not None)


def _short_use(item: Value, kind: type[U], folder: str) -> U | None:
    key = filled_text(item)
    if not key:
        return None
    return kind(key, item.place, container_path(item, folder + key))


def _long_use(item: Value, kind: type[U], folder: str) -> U | None:
    fields = Fields(item)
    source = fields.get("source")
    target = fields.get("target")
    uid = fields.read("uid", _numeric_id, "0")
    gid = fields.read("gid", _numeric_id, "0")
    mode = fields.read("mode", file_mode, 0o444)
    on_change = fields.read(ON_CHANGE, _telling_signal, "")
    fields.finish()
    if source is None:
        item.problem("no source is given", f"add source: and the {_word(kind)}'s key")
        return None
    key = filled_text(source)
    path = key if target is None else filled_text(target)
    # A target without a slash lies in the folder of the short form.
    path = path if path.startswith("/") else folder + path
    place = container_path(item if target is None else target, path)
    return kind(key, source.place, place, uid=uid, gid=gid, mode=mode, on_change=on_change)


def _telling_signal(value: Value) -> str:
    written = read_signal(value)
    if written.upper().removeprefix("SIG") in ("KILL", "STOP", "9", "19"):
        value.problem(
            f"no process can take note of {shown(written)}", "name one that it handles: SIGHUP"
        )
    return written


def _word(kind: type[FileUse]) -> str:
    return "secret" if kind is SecretUse else "config"


def _numeric_id(value: Value) -> str:
    written = text(value)
    if isinstance(value.written, str) and not (written.isascii() and written.isdecimal()):
        value.problem(f"must be a number in quotes, not {shown(written)!r}")
    return written


def _local_path(value: Value) -> str:
    written = filled_text(value)
    try:
        return absolute_path(written, value.reading) if written else ""
    except ValueError as error:
        value.problem(str(error))
        return ""
