"""The example that uses every key: none of the schema's is missing, and all of it is understood.

After a wanted change: `REWRITE_GOLDEN=1 pytest tests/unit/compose/test_every_key.py`, and review
the difference of `tests/golden/every_key`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stackctl.compose.schema import compose_schema

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "every-key"
GOLDEN = ROOT / "tests" / "golden" / "every_key"
FOLDER_SHOWN = "FOLDER"  # stands in the golden files for where the example lies
STACKCTL = Path(sys.executable).with_name("stackctl")
REFUSED = 2  # the exit code where a file is wrong, or a target refuses some of it


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


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    printed: str
    notes: str


def run(*words: str) -> Done:
    """A command in the example's folder, with all profiles on."""
    done = subprocess.run(
        [STACKCTL, *words, "--profile", "*"],
        cwd=EXAMPLE,
        env={"HOME": "/home/user", "TOKEN": "a token", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    folder = str(EXAMPLE)
    return Done(
        done.returncode,
        done.stdout.replace(folder, FOLDER_SHOWN),
        done.stderr.replace(folder, FOLDER_SHOWN),
    )


def check_golden(name: str, text: str) -> None:
    """Compare with a golden file, or rewrite it when that is asked for."""
    path = GOLDEN / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("layout", ["yaml", "json"])
def test_its_canonical_form(layout: str) -> None:
    done = run("config", "--format", layout)
    assert done.code == 0
    check_golden(f"config.{layout}", done.printed)


@pytest.mark.parametrize("layout", ["yaml", "json"])
def test_its_canonical_form_reads_back_to_itself(layout: str, tmp_path: Path) -> None:
    printed = (GOLDEN / f"config.{layout}").read_text().replace(FOLDER_SHOWN, str(EXAMPLE))
    again = tmp_path / "again.yml"
    again.write_text(printed)
    done = run("config", "--format", layout, "-c", str(again))
    assert done.printed.replace(str(tmp_path), FOLDER_SHOWN) == printed.replace(
        str(EXAMPLE), FOLDER_SHOWN
    )


@pytest.mark.parametrize("target", ["cluster", "local"])
def test_what_a_target_makes_of_it(target: str) -> None:
    done = run("lint", "--all", "--target", target)
    check_golden(f"lint-{target}.txt", done.printed + done.notes)
    assert done.code == REFUSED


def test_its_canonical_form_has_every_section() -> None:
    printed = yaml.safe_load((GOLDEN / "config.yaml").read_text())
    written = yaml.safe_load((EXAMPLE / "compose.yml").read_text())
    assert set(printed["services"]) == {*written["services"], "included", "more"}
    assert set(written) - set(printed) == {"version", "include"}
