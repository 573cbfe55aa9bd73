"""What reading files ends in, when that is in order.

The files are read twice: for no target, and what is then printed must read back to the same; and
for a cluster, with the keys left out that it cannot honour.
"""

from collections.abc import Sequence
from pathlib import Path

from stackctl.compose.load import Loaded, LoadRequest, examine, load_request_stack
from stackctl.compose.printing.canonical import document_mapping, to_text
from stackctl.compose.problems import ComposeProblems, Problem
from stackctl.errors import InputError
from stackctl.model.specs import StackSpec
from stackctl.wire import codec

SPEC = "spec"
VARIABLES = "TAG=2 A=$A HOME=/home/me NAME=shop PORT=8080 TOKEN=t"
ENVIRONMENT = dict(variable.split("=") for variable in VARIABLES.split())
PRINTED = "printed.yml"
LINES_SHOWN = 5


def outcome(paths: Sequence[str]) -> str:
    """`SPEC`, the first lines of a refusal, or what is wrong with one of them."""
    request = LoadRequest(environment=ENVIRONMENT, paths=paths, stack_name="shop", profiles=["*"])
    try:
        loaded = examine(request, None)
        wrong = _of_problems(loaded.problems) if loaded.problems else _of_printing(loaded)
        if wrong.startswith("wrong"):
            return wrong
        spec = load_request_stack(request._replace(lenient=True)).spec
    except ComposeProblems as refusal:
        return _of_problems(refusal.problems)
    except InputError as refusal:
        return str(refusal)
    if codec.unpack(codec.pack(spec), StackSpec) != spec:
        return "wrong: the spec changes on the wire"
    codec.to_json(spec)
    return SPEC


def _of_problems(problems: Sequence[Problem]) -> str:
    lines = str(ComposeProblems(problems)).split("\n")
    if not len(lines) == len(problems) > 0:
        return f"wrong: {len(problems)} problems in {len(lines)} lines"
    if not all(line.isprintable() for line in lines):
        return f"wrong: a problem that cannot be printed: {lines!r}"[:1000]
    for problem in problems:
        position = problem.place.position
        if not position.file or position.line < 1 or position.column < 1:
            return f"wrong: a problem without its place: {problem}"
    return "\n".join(lines[:LINES_SHOWN])


def _of_printing(loaded: Loaded) -> str:
    """Nothing, when what is printed reads back to the same."""
    text = to_text(document_mapping(loaded.document, loaded.name), as_json=False)
    Path(PRINTED).write_text(text)
    request = LoadRequest(
        environment=ENVIRONMENT, paths=[PRINTED], stack_name="shop", profiles=["*"]
    )
    again = examine(request, None)
    if again.problems:
        return f"wrong: what is printed is refused: {again.problems[0]}"
    if to_text(document_mapping(again.document, again.name), as_json=False) != text:
        return "wrong: what is printed reads back to something else"
    return ""
