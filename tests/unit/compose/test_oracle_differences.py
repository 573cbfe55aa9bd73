"""Every difference between our reading of a file and the docker client's is on purpose.

Both canonical forms are taken apart into the values at their paths. A difference must be explained
by a line of `differences.txt`:

    CASE | PATH | OURS | DOCKER'S | DEVIATION

where `*` stands for anything, `-` for no value, and the deviation is an entry of the list that the
documentation shows. Where one side refuses a whole file the path is `(file)`.
"""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import NamedTuple

import pytest
import yaml

from stackctl.compose.deviations import DEVIATIONS
from stackctl.compose.merging.assemble import assemble
from stackctl.compose.printing.canonical import document_mapping
from stackctl.compose.problems import ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from tests import compose_oracle as oracle

NOTHING = "-"
WHOLE = "(file)"


class Difference(NamedTuple):
    """What stands at a path on either side, or a pattern for it."""

    case: str
    path: str
    ours: str
    docker: str

    def matches(self, pattern: "Difference") -> bool:
        """Whether the pattern covers this difference."""
        return all(map(fnmatchcase, self, pattern))


class Explanation(NamedTuple):
    """A line of the table."""

    pattern: Difference
    deviation: str


@cache
def explanations() -> tuple[Explanation, ...]:
    """The lines of `differences.txt`."""
    lines = (oracle.FOLDER / "differences.txt").read_text().splitlines()
    found = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            *pattern, deviation = (word.strip() for word in line.split("|"))
            found.append(Explanation(Difference(*pattern), deviation))
    return tuple(found)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Each value with its path, as text; a number in quotes is the same as one without."""
    inner: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inner = [(f"{path}/{key}", part) for key, part in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}/{index}", part) for index, part in enumerate(value)]
    for inner_path, part in inner:
        yield from leaves(part, inner_path)
    if not inner:
        shown = value if isinstance(value, str) else json.dumps(value)
        yield path.lstrip("/"), NOTHING if shown in ("{}", "[]", "null") else shown


def our_reading(case: str) -> object:
    """The canonical form of a file, whatever a target makes of its keys; None when refused."""
    log = ProblemLog()
    request = LoadRequest(
        environment=oracle.ENVIRONMENT,
        paths=[str(path) for path in oracle.files(case)],
        stack_name="shop",
    )
    assembled = assemble(request, log)
    reading = Reading(log=log, base=assembled.base, variables=assembled.variables)
    document = read_document(Value(assembled.root, path=(), reading=reading), assembled.name)
    if log.problems():
        return None
    return json.loads(json.dumps(document_mapping(document, assembled.name)))


@cache
def differences(case: str) -> tuple[Difference, ...]:
    """Where we and the client disagree about a file."""
    answer = oracle.recorded(case)
    mapping = our_reading(case)
    if mapping is None or answer.refusal:
        ours = "refused" if mapping is None else "accepted"
        docker = "refused" if answer.refusal else "accepted"
        return () if ours == docker else (Difference(case, WHOLE, ours, docker),)
    printed = answer.printed.replace(oracle.FOLDER_SHOWN, str(oracle.FOLDER))
    mine, theirs = dict(leaves(mapping)), dict(leaves(yaml.safe_load(printed)))
    return tuple(
        Difference(case, path, mine.get(path, NOTHING), theirs.get(path, NOTHING))
        for path in sorted(mine.keys() | theirs.keys())
        if mine.get(path, NOTHING) != theirs.get(path, NOTHING)
    )


@pytest.mark.parametrize("case", oracle.CASES)
def test_every_difference_is_on_purpose(case: str) -> None:
    unexplained = [
        " | ".join(difference)
        for difference in differences(case)
        if not any(difference.matches(line.pattern) for line in explanations())
    ]
    assert unexplained == []


def test_every_explanation_explains_something() -> None:
    found = [difference for case in oracle.CASES for difference in differences(case)]
    idle = [
        " | ".join(line.pattern)
        for line in explanations()
        if not any(difference.matches(line.pattern) for difference in found)
    ]
    assert idle == []


def test_every_explanation_is_in_the_documented_list() -> None:
    documented = {deviation.id for deviation in DEVIATIONS}
    assert {line.deviation for line in explanations()} - documented == set()
