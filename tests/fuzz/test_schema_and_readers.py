"""The schema refuses nothing that the readers accept: each of its problems is one of theirs, too.

The other way round there is a gap on purpose: what keys exclude each other, what a name leads to
and the grammars inside texts (images, mounts, constraints, …) only the readers know.
"""

from pathlib import Path

import pytest

from stackctl.compose.load import LoadRequest, examine
from stackctl.compose.problems import Problem, ProblemLog
from stackctl.compose.schema import check_schema
from stackctl.compose.verdicts.rules import Target
from stackctl.errors import InputError
from tests.fuzz.mutants import EXAMPLES, ORACLE, mutant
from tests.fuzz.outcome import ENVIRONMENT
from tests.fuzz.run import surroundings

FIRST_SEED = 100_001
BATCHES = 3
BATCH_SIZE = 150
FILES = sorted([*EXAMPLES.glob("*/*.yml"), *ORACLE.glob("*.yml")])


def disagreements(path: Path) -> list[str]:
    """The schema's problems with a file at places where the readers have none."""
    request = LoadRequest(environment=ENVIRONMENT, paths=[str(path)], stack_name="shop")
    try:
        loaded = examine(request, Target.LOCAL)
    except InputError:
        return []
    log = ProblemLog()
    check_schema(loaded.root, log)
    return [
        f"{problem}; readers: {[str(each) for each in loaded.problems[:3]]}"
        for problem in log.problems()
        if not any(_same_part(problem, each) for each in loaded.problems)
    ]


def _same_part(one: Problem, other: Problem) -> bool:
    """Whether one problem's value contains the other's, or is an alias of it."""
    if one.place.position == other.place.position:
        return True
    return all(
        first == second for first, second in zip(one.place.path, other.place.path, strict=False)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_our_own(path: Path) -> None:
    assert disagreements(path) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutants(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = FIRST_SEED + batch * BATCH_SIZE
    for seed in range(first, first + BATCH_SIZE):
        files = mutant(seed).files
        Path("mutant.yml").write_bytes(files[list(files)[-1]])
        assert disagreements(Path("mutant.yml")) == [], f"python -m tests.fuzz.run {seed}"
