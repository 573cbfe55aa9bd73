"""Mutants of Compose files end in a stack or in located problems, soon, and in little memory.

`python -m tests.fuzz.run 1 10000` tries as many as one likes.
"""

import pytest

from tests.fuzz import run
from tests.fuzz.mutants import mutant
from tests.fuzz.outcome import SPEC

BATCHES = 4
BATCH_SIZE = 500


@pytest.mark.timeout(400)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_mutant_ends_in_a_stack_or_in_problems(batch: int) -> None:
    first = 1 + batch * BATCH_SIZE
    summary = run.run(first, first + BATCH_SIZE - 1)
    assert summary.failures == ()
    assert summary.tried == BATCH_SIZE
    assert summary.specs > BATCH_SIZE // 50  # mutants that are all refused at once test little


def test_a_seed_gives_the_same_mutant_again() -> None:
    assert [mutant(seed) for seed in range(20)] == [mutant(seed) for seed in range(20)]


def test_what_goes_wrong_is_found() -> None:
    lines: list[list[object]] = [
        [1, "traceback: of something", 0.1, 1],
        [2, SPEC, 0.2, run.RESIDENT_MAX + 1],
        [3, "stack.yml:1:1: a problem", 0.1, 1],
    ]
    summary = run.summary_of(lines, [])
    assert [failure.split()[3] for failure in summary.failures] == ["1:", "2:"]
    assert (summary.specs, summary.slowest_seed) == (1, 2)
