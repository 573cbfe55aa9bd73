"""Every script beside this file prints what it says it prints."""

from pathlib import Path

import pytest

from tests.scenarios import script
from tests.scenarios.stage import Stage

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_prints_what_it_says(path: Path, request: pytest.FixtureRequest) -> None:
    blocks = script.parse(path.read_text())
    rewritten, differences = script.run(blocks, Stage().perform)
    if request.config.getoption("--rewrite", default=False):
        path.write_text(rewritten)
        return
    assert not differences, "\n\n".join(differences)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 10


def test_a_script_is_read_and_written_without_loss() -> None:
    text = "# why\n\nnodes a b\n----\n\n# then\ndeploy shop\nweb replicas=2\n----\ndone\n"
    rendered, differences = script.run(
        script.parse(text), lambda command, _lines: ["done"] if "deploy" in command else []
    )
    assert rendered == text
    assert differences == []


def test_a_difference_is_found() -> None:
    blocks = script.parse("ps\n----\nnothing\n")
    _, differences = script.run(blocks, lambda _command, _lines: ["something"])
    assert len(differences) == 1
