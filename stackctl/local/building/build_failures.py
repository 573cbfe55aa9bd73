"""A build that failed, in one message: what failed, its last lines, and what to do."""

import re
from collections.abc import Iterable

from stackctl.local.building.build_request import ImageBuild
from stackctl.local.failures import StepFailed

# Who passed an error on says nothing to whom reads it.
_PASSED_ON = re.compile(
    r"^(failed to solve( with frontend [\w.]+)?: |rpc error: code = \w+ desc = "
    r"|failed to create LLB definition: |failed to read dockerfile: )+"
)
_LOCKED_REGISTRY = (
    "pull access denied",
    "unauthorized",
    "no basic auth credentials",
    "authentication required",
)
_ASKING_A_REGISTRY = ("load metadata for ", "/v2/")
_EXIT_CODE = re.compile(r"exit code: (\d+)$")


def build_failure(wanted: ImageBuild, words: str, last: Iterable[str] = ()) -> StepFailed:
    """The failure in the builder's words; `last` are the lines before."""
    words = _PASSED_ON.sub("", words.strip())
    lines = [*last]
    return StepFailed(
        f"cannot build service {wanted.service_key}: {words}",
        hint=_advice(words, lines),
        details="\n".join(f"  {line}" for line in lines),
    )


def step_failure(wanted: ImageBuild, name: str, error: str, last: Iterable[str]) -> StepFailed:
    """The failure of one step; its name says what was run, so the error need not."""
    ended = _EXIT_CODE.search(error)
    words = f"exit code {ended[1]}" if ended else _PASSED_ON.sub("", error.strip())
    return build_failure(wanted, f"{name}: {words}", last)


def _advice(words: str, lines: list[str]) -> str | None:
    everything = "\n".join((words, *lines)).lower()
    if "no space left" in everything:
        return "docker system prune makes room; docker builder prune drops what builds keep"
    if any(mark in words.lower() for mark in _LOCKED_REGISTRY):
        return "docker login REGISTRY, or look at the name after FROM"
    if any(mark in words for mark in _ASKING_A_REGISTRY):
        return "is the name after FROM right, and its registry up?"
    return None
