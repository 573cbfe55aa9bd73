"""`stackctl` beside a real engine: `shop("up", "-d")` in a folder with a Compose file.

What the stack has on the engine is removed at the end of the test, with its volumes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import parse_endpoint
from stackctl.local.observed import Container
from stackctl.local.observing import list_containers
from tests.command_line import Done
from tests.engines import EngineForTests

TIMEOUT_SECONDS = 60


class LocalCommandLine:
    """One stack in one folder."""

    def __init__(self, engine: EngineForTests, folder: Path, name: str) -> None:
        self.engine = Engine(parse_endpoint(engine.url))
        self.folder = folder
        self.name = name
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": engine.url,
            "COMPOSE_PROJECT_NAME": name,
        }

    def write(self, text: str, *, file: str = "compose.yaml") -> None:
        """Write the Compose file, or another file beside it."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def __call__(self, *words: str, environment: dict[str, str] | None = None) -> Done:
        """Run a command to its end."""
        ended = subprocess.run(
            self.words(words),
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def succeeds(self, *words: str) -> Done:
        """Run a command that must end with 0."""
        done = self(*words)
        assert done.code == 0, done.err
        return done

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; it is killed at the end of the block."""
        process = subprocess.Popen(
            self.words(words),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def words(self, words: Sequence[str]) -> list[str]:
        """The argument list of a command."""
        return [str(Path(sys.executable).parent / "stackctl"), *words]

    def containers(self) -> dict[str, Container]:
        """The containers of the stack by their names without its own."""
        found = list_containers(self.engine, self.name)
        return {it.name.removeprefix(f"{self.name}-"): it for it in found}

    def inspect(self, name: str) -> dict[str, Any]:
        """Everything that the engine says of one container."""
        answer: dict[str, Any] = self.engine.get(f"/containers/{self.name}-{name}/json")
        return answer

    def exists(self, kind: str, name: str) -> bool:
        """Whether a network or volume is there."""
        listed = self.engine.get(f"/{kind}")
        items = listed.get("Volumes") or () if kind == "volumes" else listed
        return any(it["Name"] == name for it in items)

    def remove_everything(self) -> None:
        """What the stack has on the engine goes, whatever the file says."""
        self("-p", self.name, "kill")
        self("-p", self.name, "down", "-v", "-t", "0", "--remove-orphans")


@contextmanager
def local_command_line(
    engine: EngineForTests, folder: Path, name: str
) -> Iterator[LocalCommandLine]:
    """A stack of this name that leaves nothing behind."""
    command_line = LocalCommandLine(engine, folder, name)
    try:
        yield command_line
    finally:
        command_line.remove_everything()
