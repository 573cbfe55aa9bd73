"""Compose files made from the schema: any keys together, each with a value that the schema allows.

They reach what no author of an example would put together; most are refused by the readers for a
reason that a schema cannot know, so they are small.
"""

import copy
import random
import re
from typing import Any

from stackctl.compose.schema import compose_schema

EXAMPLE_ODDS = 0.9
NAMES = ("web", "db", "front", "example.name")
NUMBERS = (1, 2, 10, 100, 1_000_000)
TEXTS = ("web", "/srv/x", "a=b", "10.7.0.5", "data:/data", "5s", "true", "10M", "0440", "default")
# What the schema's examples refer to.
SECTIONS: dict[str, Any] = {
    "networks": {"front": {}, "back": None, "web": {}, "db": {}},
    "volumes": {"data": {}},
    "configs": {"site": {"file": "site.conf"}},
    "secrets": {"token": {"file": "token.txt"}},
    "models": {"web": {"model": "ai/smollm2"}, "db": {"model": "ai/smollm2"}},
}


def generated(dice: random.Random) -> dict[str, Any]:
    """A file with two services, and the sections that they may refer to."""
    parts = compose_schema()["$defs"]
    service = {"image": "busybox", **_object(parts["service"], dice, depth=0)}
    sections = copy.deepcopy(SECTIONS)
    for section in ("networks", "volumes", "configs", "secrets", "models"):
        if dice.random() < 0.1:
            sections[section]["more"] = _value(parts[section[:-1]], dice, depth=1)
    return {"services": {"web": service, "db": {"image": "busybox"}}, **sections}


def _value(schema: Any, dice: random.Random, depth: int) -> Any:
    if schema is True:
        return {"any": ["thing"]}
    if "$ref" in schema:
        inner = compose_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**inner, **{key: schema[key] for key in schema if key != "$ref"}}
    if schema.get("examples") and dice.random() < EXAMPLE_ODDS:
        return copy.deepcopy(dice.choice(schema["examples"]))  # what is made is changed later
    types = schema.get("type", "string")
    kinds = [types] if isinstance(types, str) else types
    kind = dice.choice([kind for kind in kinds if kind != "null"])
    match kind:
        case "object":
            return _object(schema, dice, depth)
        case "array":
            items = schema.get("items", {"type": "string"})
            return [_value(items, dice, depth + 1) for _ in range(dice.randint(0, 2))]
        case "string":
            texts = [*TEXTS, *map(str, NUMBERS)]
            return dice.choice([text for text in texts if _fits(text, schema)] or texts)
        case "boolean":
            return dice.random() < 0.5
        case _:
            return min(dice.choice(NUMBERS), schema.get("maximum", NUMBERS[-1]))


def _fits(text: str, schema: Any) -> bool:
    return re.search(schema.get("pattern", ""), text) is not None


def _object(schema: Any, dice: random.Random, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    count = min(len(properties), dice.choice((1, 2, 2, 3, 5)))
    keys = {*dice.sample(sorted(properties), count), *schema.get("required", ())}
    found = {key: _value(properties[key], dice, depth + 1) for key in sorted(keys)}
    if isinstance(schema.get("additionalProperties"), dict) and depth < 8:
        name = dice.choice(NAMES)
        found[name] = _value(schema["additionalProperties"], dice, depth + 1)
    return found
