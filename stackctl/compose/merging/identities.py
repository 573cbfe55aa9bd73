"""What makes two items of a list the same thing in two files, whichever form they have.

An *identity* is compared for equality only; None belongs to an item that has none, because it is
wrong or because nothing can replace it. The readers will complain about what is wrong.
"""

import posixpath
import re
from collections.abc import Callable

from stackctl.compose.syntax import tree
from stackctl.compose.syntax.yaml_scalars import go_text

Identity = Callable[[tree.Node], str | None]

_PORT = re.compile(
    r"(?:(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>.*)):(?=[^:]*:))?"  # the address
    r"(?:(?P<published>[^:/]*):)?(?P<target>[^:/]+)(?:/(?P<protocol>\w+))?"
)
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 -- compared, never listened on


def text_of(node: tree.Node | None) -> str | None:
    """The text of a scalar as Compose would print it; None of anything else, and of null."""
    if not isinstance(node, tree.Scalar) or node.value is None or node.broken:
        return None
    return go_text(node.value)


def field(node: tree.Node, key: str) -> str | None:
    """The text under a key of a mapping."""
    entry = node.entries.get(key) if isinstance(node, tree.Mapping) else None
    return text_of(entry.value) if entry else None


def whole(node: tree.Node) -> str | None:
    """The whole text."""
    return text_of(node)


def name(node: tree.Node) -> str | None:
    """NAME of `NAME=VALUE`."""
    text = text_of(node)
    return None if text is None else text.partition("=")[0]


def host(node: tree.Node) -> str | None:
    """`HOST=ADDRESS`, also of `HOST:ADDRESS`."""
    text = text_of(node)
    if text is None:
        return None
    separator = "=" if "=" in text else ":"
    before, _, after = text.partition(separator)
    return f"{before}={after.strip('[]')}"


def path(node: tree.Node) -> str | None:
    """The path of a file: the text, or `path` of the long form."""
    return field(node, "path") if isinstance(node, tree.Mapping) else text_of(node)


def subnet(node: tree.Node) -> str | None:
    """The subnet of an address pool."""
    return field(node, "subnet")


def tmpfs(node: tree.Node) -> str | None:
    """The folder of `FOLDER:OPTIONS`."""
    text = text_of(node)
    return None if text is None else text.partition(":")[0]


def device(node: tree.Node) -> str | None:
    """The name of a device in the container."""
    if isinstance(node, tree.Mapping):
        return field(node, "target") or field(node, "source")
    text = text_of(node)
    if text is None:
        return None
    parts = text.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def volume(node: tree.Node) -> str | None:
    """The folder in the container."""
    if isinstance(node, tree.Mapping):
        target = field(node, "target")
    else:
        parts = (text_of(node) or "").split(":")
        target = parts[1] if len(parts) > 1 else parts[0]
    return posixpath.normpath(target) if target else None


def config(node: tree.Node) -> str | None:
    """The file in the container, `/SOURCE` unless said."""
    return _file(node, "/")


def secret(node: tree.Node) -> str | None:
    """The file in the container, `/run/secrets/SOURCE` unless said."""
    return _file(node, "/run/secrets")


def port(node: tree.Node) -> str | None:
    """Address, published port, port in the container and protocol."""
    if isinstance(node, tree.Mapping):
        found = {key: field(node, key) for key in ("host_ip", "published", "target", "protocol")}
        address, published, target, protocol = found.values()
    else:
        match = _PORT.fullmatch(text_of(node) or "")
        if match is None:
            return None
        address = match["bracketed"] or match["plain"]
        published, target, protocol = match["published"], match["target"], match["protocol"]
    if not target:
        return None
    known = (address or _EVERY_ADDRESS, published or "", target, (protocol or "tcp").lower())
    return ":".join(known)


def _file(node: tree.Node, folder: str) -> str | None:
    target = field(node, "target") if isinstance(node, tree.Mapping) else None
    target = target or (field(node, "source") if isinstance(node, tree.Mapping) else text_of(node))
    return posixpath.join(folder, target) if target else None
