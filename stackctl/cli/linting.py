"""What `lint` does: every key of the files with its verdict, and everything that is wrong."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from stackctl.cli.compose_options import FileOptions
from stackctl.cli.compose_reading import count_text, refusal, show_notes, show_problems
from stackctl.cli.render.verdicts import VerdictRow, render_verdicts
from stackctl.cli.session import Session

if TYPE_CHECKING:
    from stackctl.compose.problems import Place, Problem
    from stackctl.compose.request import Loaded
    from stackctl.compose.verdicts.judge import Judgement


class LintOptions(NamedTuple):
    """The flags of `lint`."""

    files: FileOptions
    stack_name: str | None = None
    target: str = "cluster"
    as_json: bool = False
    shows_all: bool = False


class Findings(NamedTuple):
    """What was found; refused keys are judgements and not among the problems."""

    loaded: "Loaded"
    refused: "Sequence[Judgement]"
    problems: "Sequence[Problem]"
    schema_problems: "Sequence[Problem]"  # what no reader found

    @property
    def total(self) -> int:
        """How many things stop a deploy."""
        return len(self.refused) + len(self.problems) + len(self.schema_problems)


def lint(session: Session, options: LintOptions) -> int:
    """Print the verdicts; raises InputError when anything is wrong or refused."""
    found = _findings(session, options)
    if options.as_json:
        session.terminal.write(_as_json(found, options))
    else:
        _show(session, found, options)
    if found.total:
        raise refusal(found.total)
    return 0


def _findings(session: Session, options: LintOptions) -> Findings:
    from stackctl.compose.load import examine
    from stackctl.compose.verdicts.judge import problem_of
    from stackctl.compose.verdicts.rules import Kind, Target

    target = Target(options.target)
    request = options.files.request(session, options.stack_name)
    loaded = examine(request._replace(is_local=target is Target.LOCAL), target)
    refused = [each for each in loaded.judgements if each.verdict.kind is Kind.REFUSED]
    said_in_the_table = {problem_of(each, target) for each in refused}
    problems = [problem for problem in loaded.problems if problem not in said_in_the_table]
    return Findings(loaded, refused, problems, _schema_problems(loaded))


def _schema_problems(loaded: "Loaded") -> "list[Problem]":
    """What the schema of editors refuses where the readers found nothing wrong."""
    from stackctl.compose.problems import ProblemLog
    from stackctl.compose.schema import check_schema

    log = ProblemLog()
    for file in loaded.files:
        log.add_file(file)
    check_schema(loaded.root, log)
    known = {problem.place.position for problem in loaded.problems}
    return [problem for problem in log.problems() if problem.place.position not in known]


def _show(session: Session, found: Findings, options: LintOptions) -> None:
    shown = [each for each in found.loaded.judgements if options.shows_all or _is_remarkable(each)]
    rows = [_row(each) for each in shown]
    session.terminal.write(render_verdicts(rows, width=session.terminal.table_width))
    hidden = len(found.loaded.judgements) - len(shown)
    if hidden:
        keys = count_text(hidden, "other key")
        session.terminal.note(f"{keys} honoured as written; --all shows them")
    show_notes(session, found.loaded.notes)
    show_problems(session, found.problems)
    for problem in found.schema_problems:
        session.terminal.note(f"{problem} (by the schema)")


def _is_remarkable(judgement: "Judgement") -> bool:
    return bool(judgement.verdict.text)


def _row(judgement: "Judgement") -> VerdictRow:
    from stackctl.compose.problems import render_path

    position = judgement.place.position
    verdict = judgement.verdict
    return VerdictRow(
        key=render_path(judgement.place.path),
        where=f"{position.file}:{position.line}:{position.column}",
        verdict=verdict.kind.value,
        text=f"{verdict.text}; {verdict.fix}" if verdict.fix else verdict.text,
    )


def _as_json(found: Findings, options: LintOptions) -> str:
    loaded = found.loaded
    body = {
        "target": options.target,
        "files": loaded.files,
        "verdicts": [
            {
                **_place_fields(each.place),
                "verdict": each.verdict.kind.value,
                "text": each.verdict.text,
                "fix": each.verdict.fix,
            }
            for each in loaded.judgements
        ],
        "problems": [
            {**_place_fields(problem.place), "message": problem.message, "hint": problem.hint or ""}
            for problem in (*found.problems, *found.schema_problems)
        ],
        "notes": [{**_place_fields(note.place), "message": note.message} for note in loaded.notes],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _place_fields(place: "Place") -> dict[str, str | int]:
    from stackctl.compose.problems import render_path

    file, line, column = place.position
    return {"key": render_path(place.path), "file": file, "line": line, "column": column}
