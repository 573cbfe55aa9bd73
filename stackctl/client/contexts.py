"""Where the managers are: flags, environment, and the file of named contexts.

`contexts.json` lies in STACKCTL_CONFIG_DIR, or in `stackctl` under XDG_CONFIG_HOME or ~/.config:

    {"current": "lab",
     "contexts": {"lab": {"endpoints": ["unix:///…/manager.sock"], "identity": "/…"}}}

`identity` names the folder with the certificate that TLS endpoints need. The first of these that
says something wins: --endpoint, STACKCTL_ENDPOINT, --context, STACKCTL_CONTEXT, "current", the
manager of this node.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stackctl.client import transport
from stackctl.errors import InputError, UnknownName

DEFAULT_ENDPOINT = "unix:///run/stackctl/manager.sock"


class Choice(NamedTuple):
    """What the user said about which cluster to talk to."""

    endpoints: tuple[str, ...] = ()  # --endpoint, each time it was given
    context: str = ""  # --context
    identity: str = ""  # --identity


class Target(NamedTuple):
    """The managers to ask, in this order, and as whom; `source` says for people why these."""

    endpoints: tuple[transport.Endpoint, ...]
    identity: Path | None
    source: str


class Context(NamedTuple):
    """A named cluster."""

    name: str
    endpoints: tuple[str, ...]
    identity: str = ""


class ContextFile(NamedTuple):
    """What the file says; `document` is kept whole, so that writing loses nothing."""

    path: Path
    document: Mapping[str, Any]
    contexts: tuple[Context, ...]
    current: str

    def named(self, name: str) -> Context:
        """The context of that name. Raises UnknownName."""
        for context in self.contexts:
            if context.name == name:
                return context
        raise UnknownName("context", name, known=[context.name for context in self.contexts])


def contexts_path(environment: Mapping[str, str]) -> Path:
    """The file of contexts, whether it exists or not."""
    own = environment.get("STACKCTL_CONFIG_DIR")
    if own:
        return Path(own) / "contexts.json"
    shared = environment.get("XDG_CONFIG_HOME")
    folder = Path(shared) if shared else Path(environment.get("HOME") or "/root") / ".config"
    return folder / "stackctl" / "contexts.json"


def read_contexts(path: Path) -> ContextFile:
    """The contexts in a file; none when there is no file. Raises InputError."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return ContextFile(path, {}, (), "")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON: {error}", hint=f"mend it or move {path} away"
        ) from error
    try:
        contexts = tuple(_context(name, entry) for name, entry in document["contexts"].items())
        return ContextFile(path, document, contexts, str(document.get("current", "")))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold contexts: {error}", hint=f"mend it or move {path} away"
        ) from error


def use_context(contexts: ContextFile, name: str) -> None:
    """Make a context the current one. Raises UnknownName, InputError."""
    contexts.named(name)
    _write(contexts.path, {**contexts.document, "current": name})


def save_context(contexts: ContextFile, context: Context) -> None:
    """Add a context, or replace the one of its name. Raises InputError."""
    entry: dict[str, Any] = {"endpoints": list(context.endpoints)}
    if context.identity:
        entry["identity"] = context.identity
    entries = {**contexts.document.get("contexts", {}), context.name: entry}
    _write(contexts.path, {**contexts.document, "contexts": entries})


def choose_target(choice: Choice, environment: Mapping[str, str]) -> Target:
    """The managers to ask. Raises InputError, UnknownName."""
    identity = choice.identity or environment.get("STACKCTL_IDENTITY", "")
    if choice.endpoints:
        return _target(choice.endpoints, identity, "--endpoint")
    named = [text for text in environment.get("STACKCTL_ENDPOINT", "").split(",") if text.strip()]
    if named and not choice.context:
        return _target([text.strip() for text in named], identity, "STACKCTL_ENDPOINT")
    contexts = read_contexts(contexts_path(environment))
    for name, source in (
        (choice.context, "--context"),
        (environment.get("STACKCTL_CONTEXT", ""), "STACKCTL_CONTEXT"),
        (contexts.current, "the current context"),
    ):
        if name:
            context = contexts.named(name)
            return _target(context.endpoints, identity or context.identity, f"{source} {name}")
    return _target([DEFAULT_ENDPOINT], identity, "default")


def _target(endpoints: tuple[str, ...] | list[str], identity: str, source: str) -> Target:
    parsed = tuple(transport.parse_endpoint(text) for text in endpoints)
    if not parsed:
        raise InputError(f"{source} names no endpoint")
    return Target(parsed, Path(identity) if identity else None, source)


def _context(name: str, entry: Mapping[str, Any]) -> Context:
    endpoints = entry["endpoints"]
    if not isinstance(endpoints, list) or not all(isinstance(text, str) for text in endpoints):
        raise TypeError(f"the endpoints of {name} are not a list of texts")
    return Context(name, tuple(endpoints), str(entry.get("identity", "")))


def _write(path: Path, document: Mapping[str, Any]) -> None:
    unfinished = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        unfinished.chmod(0o600)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
