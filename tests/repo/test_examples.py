"""What the documents show exists: examples load, commands and files that are named are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stackctl.compose.load import load_stack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(ROOT.glob("examples/*/stack.yml"))
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("examples/*/README.md")),
]
STACKCTL = Path(sys.executable).parent / "stackctl"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_a_stack(path: Path) -> None:
    spec = load_stack([str(path)], path.parent.name, environment={})
    assert spec.services


def documented_commands() -> list[str]:
    """`stackctl noun verb` as the documents write them."""
    found = set()
    for document in DOCUMENTS:
        for words in re.findall(r"stackctl ((?:[a-z-]+ ?){1,2})", document.read_text()):
            found.add(words.strip())
    return sorted(found)


def test_documents_name_commands() -> None:
    assert "stack rm" in documented_commands()


@pytest.mark.parametrize("noun", ["node", "stack", "service", "lab", "context", "cluster"])
def test_documented_commands_exist(noun: str) -> None:
    help_text = subprocess.run(
        [STACKCTL, noun, "--help"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    used = [words.split()[1] for words in documented_commands() if words.startswith(f"{noun} ")]
    missing = [verb for verb in used if not re.search(rf"^\W*{verb}\b", help_text, re.MULTILINE)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []
