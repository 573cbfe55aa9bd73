"""The example that uses every key: none of the schema's keys is missing from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stackctl.compose.schema import compose_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "every-key"


def declared_keys(schema: Any, path: str = "") -> Iterator[str]:
    """Every key that the schema declares, with the path in the schema; references not followed."""
    for key, inner in schema.get("properties", {}).items():
        yield f"{path}.{key}"
        yield from declared_keys(inner, f"{path}.{key}")
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            yield from declared_keys(schema[keyword], f"{path}.*")
    for name, inner in schema.get("$defs", {}).items():
        yield from declared_keys(inner, name)


def used_keys(value: Any, schema: Any, path: str = "") -> Iterator[str]:
    """The keys of `declared_keys` that a value uses."""
    if "$ref" in schema:
        path = schema["$ref"].removeprefix("#/$defs/")
        schema = compose_schema()["$defs"][path]
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                yield f"{path}.{key}"
                yield from used_keys(inner, schema["properties"][key], f"{path}.{key}")
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from used_keys(inner, schema["additionalProperties"], f"{path}.*")
    elif isinstance(value, list):
        for inner in value:
            yield from used_keys(inner, schema.get("items", {}), f"{path}.*")


def test_no_key_of_the_schema_is_missing_from_the_example() -> None:
    example = yaml.safe_load((EXAMPLE / "compose.yml").read_text())
    used = set(used_keys(example, compose_schema()))
    assert set(declared_keys(compose_schema())) - used == set()
