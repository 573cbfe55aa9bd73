"""The repository's own style, as far as a program can check it."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70
VAGUE_MODULES = {"utils", "util", "helpers", "common", "base", "misc", "data", "info"}
STUBS = (
    "NotImplemented" + "Error",
    "TO" + "DO",
    "FIX" + "ME",
    "XX" + "X",
    "pytest." + "skip",
    "mark." + "xfail",
)
BARE_SUPPRESSION = re.compile(r"# (noqa|type: ignore)(?!.* -{1,2} \S)[^#]*$")


def tracked_files() -> list[Path]:
    """Files that git tracks, or would: a new file is checked before it is committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def python_files() -> list[Path]:
    """Every Python file of the repository."""
    return [path for path in tracked_files() if path.suffix == ".py"]


def relative(path: Path) -> str:
    """The path as a message should show it."""
    return str(path.relative_to(ROOT))


def test_the_check_sees_the_packages_it_is_for() -> None:
    names = {relative(path) for path in python_files()}
    assert {"stackctl/errors.py", "agent/__init__.py", "tests/eventually.py"} <= names


def test_every_module_opens_with_a_docstring() -> None:
    bare = [
        relative(path)
        for path in python_files()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert bare == []


def test_files_and_functions_stay_short() -> None:
    found = []
    for path in python_files():
        text = path.read_text()
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            found.append(f"{relative(path)} has {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(f"{relative(path)}:{node.lineno} {node.name} has {length} lines")
    assert found == []


def test_no_module_has_a_vague_name() -> None:
    assert [relative(path) for path in python_files() if path.stem in VAGUE_MODULES] == []


def test_no_stub_or_promise_is_left_in_the_tree() -> None:
    found = [
        f"{relative(path)}: {word}"
        for path in python_files()
        for word in STUBS
        if re.search(rf"\b{re.escape(word)}\b", path.read_text())
    ]
    assert found == []


def test_tests_await_conditions_and_never_sleep() -> None:
    sleeping = [
        f"{relative(path)}:{number}"
        for path in python_files()
        if "tests" in path.parts and path.name not in {"eventually.py", "test_tidy.py"}
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if re.search(r"\b(time|asyncio)\.sleep\(", line)
    ]
    assert sleeping == []


def test_suppressions_carry_a_reason() -> None:
    bare = [
        f"{relative(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if BARE_SUPPRESSION.search(line)
    ]
    assert bare == []


@pytest.mark.parametrize("word", ["/wo" + "rk/main", "/wo" + "rk/shared", "/tmp/" + "brief"])
def test_the_repository_speaks_of_the_project_alone(word: str) -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if word in text:
            found.append(relative(path))
    assert found == []
