"""The entry that lets `stackctl` talk to a lab without any flag.

The file belongs to `stackctl.client.contexts`, which reads it; the lab adds its own entry, makes
it the current one, and takes both back at the end. Everything else in the file is kept as it is.
"""

import json
import os
from pathlib import Path
from typing import Any

from stackctl.lab.tools import LabFailure


def contexts_file() -> Path:
    """`contexts.json` in STACKCTL_CONFIG_DIR, or in XDG_CONFIG_HOME's or ~/.config's `stackctl`."""
    own = os.environ.get("STACKCTL_CONFIG_DIR")
    if own:
        return Path(own) / "contexts.json"
    shared = os.environ.get("XDG_CONFIG_HOME")
    return (Path(shared) if shared else Path.home() / ".config") / "stackctl" / "contexts.json"


def enter(path: Path, name: str, endpoints: tuple[str, ...]) -> str | None:
    """Make `endpoints` the current context, called `name`; returns what was current before.

    Raises `LabFailure` when the file holds something else than contexts.
    """
    document = _read(path)
    before = document.get("current")
    contexts = document.setdefault("contexts", {})
    contexts[name] = {"endpoints": list(endpoints)}
    document["current"] = name
    _write(path, document)
    return before if isinstance(before, str) and before != name else None


def leave(path: Path, name: str, *, previous: str | None) -> None:
    """Remove the context `name`; where it is the current one, `previous` is again, if it exists."""
    if not path.exists():
        return
    document = _read(path)
    contexts = document.get("contexts", {})
    if contexts.pop(name, None) is None:
        return
    if document.get("current") == name:
        document.pop("current")
        if previous in contexts:
            document["current"] = previous
    if not contexts and set(document) <= {"contexts", "current"}:
        path.unlink()
    else:
        _write(path, document)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LabFailure(f"{path} is not JSON: {error}", hint=f"move {path} away") from error
    if not isinstance(document, dict) or not isinstance(document.get("contexts", {}), dict):
        raise LabFailure(f"{path} does not hold contexts", hint=f"move {path} away")
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(document, indent=2) + "\n")
    unfinished.chmod(0o600)
    unfinished.replace(path)
