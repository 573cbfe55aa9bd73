"""What loading files ends in, when that is in order."""

from collections.abc import Sequence

from stackctl.compose.load import load_stack
from stackctl.compose.problems import ComposeProblems
from stackctl.errors import InputError
from stackctl.model.specs import StackSpec
from stackctl.wire import codec

SPEC = "spec"
ENVIRONMENT = {"TAG": "2", "A": "$A", "HOME": "/home/me", "NAME": "shop", "PORT": "8080"}
LINES_SHOWN = 5


def outcome(paths: Sequence[str]) -> str:
    """`SPEC`, the first lines of a refusal, or what is wrong with one of them."""
    try:
        spec = load_stack(paths, "shop", environment=ENVIRONMENT)
    except ComposeProblems as refusal:
        return _of_problems(refusal)
    except InputError as refusal:
        return str(refusal)
    if codec.unpack(codec.pack(spec), StackSpec) != spec:
        return "wrong: the spec changes on the wire"
    codec.to_json(spec)
    return SPEC


def _of_problems(refusal: ComposeProblems) -> str:
    lines = str(refusal).split("\n")
    if not len(lines) == len(refusal.problems) > 0:
        return f"wrong: {len(refusal.problems)} problems in {len(lines)} lines"
    if not all(line.isprintable() for line in lines):
        return f"wrong: a problem that cannot be printed: {lines!r}"[:1000]
    for problem in refusal.problems:
        position = problem.place.position
        if not position.file or position.line < 1 or position.column < 1:
            return f"wrong: a problem without its place: {problem}"
    return "\n".join(lines[:LINES_SHOWN])
