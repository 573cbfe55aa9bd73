"""The typed document of a text, as the readers of sections make it: no target is judged yet."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from stackctl.compose.document import Document, Service
from stackctl.compose.problems import ComposeProblems, ProblemLog
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax.yaml_tree import parse

NO_VARIABLES: Mapping[str, str] = {}


class DocumentText:
    """One text read; `document` raises when something in it is wrong."""

    def __init__(
        self, text: str, *, base: Path = Path("/stack"), variables: Mapping[str, str] = NO_VARIABLES
    ) -> None:
        self.log = ProblemLog()
        root = parse(textwrap.dedent(text), file="stack.yml", log=self.log)
        reading = Reading(log=self.log, base=base, variables=variables.get)
        self._document = read_document(Value(root, path=(), reading=reading), "shop")

    @property
    def document(self) -> Document:
        self.log.raise_if_any()
        return self._document

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each, without the file's name."""
        lines = str(ComposeProblems(self.log.problems())).split("\n")
        return [line.removeprefix("stack.yml:") for line in lines if line]

    @property
    def notes(self) -> list[str]:
        return [str(note).removeprefix("stack.yml:") for note in self.log.notes()]


def service_text(body: str, *, rest: str = "") -> str:
    """A file with one service `web`; `body` begins in line 4, column 5."""
    head = "services:\n  web:\n    image: nginx\n"
    return f"{head}{textwrap.indent(textwrap.dedent(body), '    ')}\n{textwrap.dedent(rest)}"


def read_service(body: str, *, rest: str = "", base: Path = Path("/stack")) -> Service:
    """The one service with the keys in `body` beside its image."""
    return DocumentText(service_text(body, rest=rest), base=base).document.services[0]


def service_problems(body: str, *, rest: str = "", base: Path = Path("/stack")) -> list[str]:
    """What is wrong with the one service."""
    return DocumentText(service_text(body, rest=rest), base=base).problems
