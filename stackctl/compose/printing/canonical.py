"""Documents and trees as text: the mapping in a fixed order, then YAML or JSON.

A *document* is printed in its canonical form, a *tree* as the merged files say it. In both every
`$` is doubled, because readers take a single one for a variable; only a tree whose variables are
still in it keeps them.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from stackctl.compose.document import Document
from stackctl.compose.printing.objects import file_keys, model_keys, network_keys, volume_keys
from stackctl.compose.printing.services import service_keys
from stackctl.compose.printing.values import extended
from stackctl.compose.printing.yaml_text import Plain, to_yaml, unbounded_text
from stackctl.compose.syntax import tree

T = TypeVar("T")

# What JSON allows as it stands and YAML, as which it may be read, takes for line breaks or refuses.
_UNSEEN = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")

_FIRST_KEYS = ("name", "services")


def document_mapping(document: Document, stack_name: str) -> dict[str, Plain]:
    """The canonical form of a document: `name`, `services`, then the other sections in use."""
    sections: dict[str, Plain] = {
        "services": {service.key: service_keys(service) for service in document.services},
        "networks": _objects(document.networks, network_keys),
        "volumes": _objects(document.volumes, volume_keys),
        "configs": _objects(document.configs, file_keys),
        "secrets": _objects(document.secrets, file_keys),
        "models": _objects(document.models, model_keys),
    }
    used = {name: found for name, found in sections.items() if found or name == "services"}
    return extended({"name": stack_name, **used}, document.extensions)


def tree_mapping(root: tree.Node, stack_name: str) -> dict[str, Plain]:
    """The merged files as they are written: `name` and `services` first, `version` left out."""
    entries = _plain(root)
    if not isinstance(entries, dict):
        return {"name": stack_name}
    known = {"name": stack_name, **{key: entries[key] for key in _FIRST_KEYS if key in entries}}
    rest = {key: entries[key] for key in entries if key not in (*known, "version")}
    return {**known, "name": stack_name, **rest}


def to_text(mapping: Plain, *, as_json: bool, keeps_variables: bool = False) -> str:
    """The mapping as a file: YAML, or JSON on several lines."""
    doubled = mapping if keeps_variables else _doubled(mapping)
    if as_json:
        text = json.dumps(_for_json(doubled), indent=2, ensure_ascii=False) + "\n"
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return to_yaml(doubled)


def _objects(objects: Mapping[str, T], keys: Callable[[T], dict[str, Plain]]) -> dict[str, Plain]:
    return {key: keys(found) for key, found in objects.items()}


def _plain(node: tree.Node) -> Plain:
    if isinstance(node, tree.Mapping):
        return {entry.key: _plain(entry.value) for entry in node}
    if isinstance(node, tree.Sequence):
        return [_plain(item) for item in node.items]
    return node.value


def _for_json(value: Plain) -> Plain:
    """The value with words for numbers that JSON cannot write, which `x-` keys may have."""
    if isinstance(value, float) and not math.isfinite(value):
        return unbounded_text(value)
    if isinstance(value, Mapping):
        return {key: _for_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(item) for item in value]
    return value


def _doubled(value: Plain) -> Plain:
    """The value with `$$` for `$`; keys stay, because readers put no variables into them."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _doubled(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_doubled(item) for item in value]
    return value
