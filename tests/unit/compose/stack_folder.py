"""A folder with one Compose file, loaded as the CLI loads it."""

import textwrap
from pathlib import Path

from stackctl.compose.load import load_stack, load_stack_with_notes
from stackctl.compose.problems import ComposeProblems
from stackctl.model.specs import ServiceSpec, StackSpec


class StackFolder:
    """Writes `stack.yml` and other files, and loads the file under a short relative path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, text: str | bytes) -> StackSpec:
        self._write_stack(text)
        return load_stack(["stack.yml"], "shop", environment=self.environment)

    def problems(self, text: str | bytes) -> list[str]:
        """The lines of the refusal, without the file's name; none when the file is fine."""
        self._write_stack(text)
        try:
            load_stack(["stack.yml"], "shop", environment=self.environment)
        except ComposeProblems as problems:
            return [line.removeprefix("stack.yml:") for line in str(problems).split("\n")]
        return []

    def notes(self, text: str) -> list[str]:
        self._write_stack(text)
        loaded = load_stack_with_notes(["stack.yml"], "shop", environment=self.environment)
        return [str(note).removeprefix("stack.yml:") for note in loaded.notes]

    def service(self, body: str, *, rest: str = "") -> ServiceSpec:
        """The one service `web` with the keys in `body` beside its image."""
        return self.load(self.service_text(body, rest=rest)).services[0]

    def service_problems(self, body: str, *, rest: str = "") -> list[str]:
        """What is wrong with the one service `web`; `body` begins in line 4, column 5."""
        return self.problems(self.service_text(body, rest=rest))

    @staticmethod
    def service_text(body: str, *, rest: str = "") -> str:
        head = "services:\n  web:\n    image: nginx\n"
        return f"{head}{textwrap.indent(textwrap.dedent(body), '    ')}\n{textwrap.dedent(rest)}"

    def _write_stack(self, text: str | bytes) -> None:
        self.write("stack.yml", textwrap.dedent(text) if isinstance(text, str) else text)
