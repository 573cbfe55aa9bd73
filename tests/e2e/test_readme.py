"""The README's tour, typed line by line as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

README = Path(__file__).resolve().parents[2] / "README.md"
BIN = Path(sys.executable).parent


def blocks() -> list[str]:
    """The shell blocks of the tour."""
    tour = README.read_text().split("<!-- tour -->")[1].split("<!-- end of tour -->")[0]
    return [part.split("```")[0] for part in tour.split("```sh\n")[1:]]


def test_every_line_of_the_tour_works_as_written(juergenapp: LabCluster) -> None:
    lab = juergenapp
    environment = {**lab.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
    printed = ""
    assert len(blocks()) >= 5
    for block in blocks():
        done = subprocess.run(
            ["sh", "-eu", "-c", block],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    assert "manager1" in printed
    assert "Visit number" in printed
    assert "juergenapp_web.4" in printed
