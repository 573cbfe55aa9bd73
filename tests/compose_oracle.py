"""What `docker stack config` says about Compose files of our own: asked live, and recorded.

The files in `golden/compose_oracle` use every key of format 3 at least once; NAME.2.yml is given as
the second file beside NAME.yml. The client needs no engine for this. Its answers are kept in
`answers`, with its version, so that a machine without the client tests against the same answers.

    python -m tests.compose_oracle        asks again and rewrites the answers; review the diff
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "golden" / "compose_oracle"
ANSWERS = FOLDER / "answers"
VERSION_FILE = ANSWERS / "CLIENT"
FOLDER_SHOWN = "FOLDER"  # stands in the answers for where the files lie
ENVIRONMENT = {"NAME": "shop", "PORT": "8080", "YES": "true", "EMPTY": ""}
CASES = sorted(path.stem for path in FOLDER.glob("*.yml") if not path.stem.endswith(".2"))


class Answer(NamedTuple):
    """The canonical file that the client prints, or why it refuses."""

    printed: str
    refusal: str


def files(case: str) -> list[Path]:
    """The file of a case, and the second one that is merged into it where there is one."""
    found = [FOLDER / f"{case}.yml", FOLDER / f"{case}.2.yml"]
    return [path for path in found if path.exists()]


@cache
def client_version() -> str:
    """The version of the docker client in the path; empty when there is none."""
    if shutil.which("docker") is None:
        return ""
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Client.Version}}"],
        capture_output=True,
        text=True,
        check=False,  # without an engine it prints the client's version, and fails
        timeout=20,
    )
    return asked.stdout.split("\n")[0].strip()


def ask(case: str, home: Path) -> Answer:
    """The client's answer now; `home` is an empty folder in place of the user's settings."""
    names = [word for path in files(case) for word in ("-c", str(path))]
    asked = subprocess.run(
        ["docker", "stack", "config", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**ENVIRONMENT, "PATH": os.environ["PATH"], "HOME": str(home)},
    )
    if asked.returncode == 0:
        return Answer(asked.stdout.replace(str(FOLDER), FOLDER_SHOWN), "")
    return Answer("", asked.stderr.replace(str(FOLDER), FOLDER_SHOWN).strip() + "\n")


def recorded_version() -> str:
    """The version of the client that gave the recorded answers."""
    return VERSION_FILE.read_text().strip()


def recorded(case: str) -> Answer:
    """The answer as it was recorded."""
    refusal = ANSWERS / f"{case}.txt"
    if refusal.exists():
        return Answer("", refusal.read_text())
    return Answer((ANSWERS / f"{case}.yml").read_text(), "")


def record(home: Path) -> None:
    """Ask the client again about everything, and keep what it says."""
    shutil.rmtree(ANSWERS, ignore_errors=True)
    ANSWERS.mkdir()
    VERSION_FILE.write_text(client_version() + "\n")
    for case in CASES:
        answer = ask(case, home)
        name = f"{case}.txt" if answer.refusal else f"{case}.yml"
        (ANSWERS / name).write_text(answer.refusal or answer.printed)


if __name__ == "__main__":
    record(Path("/nonexistent"))
