"""Which lines of a container belong to the run that is followed."""

import pytest

from stackctl.local.log_following import range_of_run
from stackctl.local.logs import LogRange

NEVER = "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("state", "since"),
    [
        (("2026-01-01T00:00:10.5Z", NEVER, True), ""),
        (("2026-01-01T00:00:10.5Z", "2026-01-01T00:00:04Z", True), "1767225604"),
        (("2026-01-01T00:00:10.5Z", "2026-01-01T00:00:11Z", False), "1767225607.5"),
        # An echo ends before the engine has noted its start: all its lines were lost.
        (("2026-01-01T00:00:10.5Z", "2026-01-01T00:00:10.2Z", False), "1767225607.2"),
    ],
)
def test_a_run_is_read_from_its_beginning(state: tuple[str, str, bool], since: str) -> None:
    started, finished, is_running = state
    found = range_of_run({"StartedAt": started, "FinishedAt": finished, "Running": is_running})
    assert _trimmed(found) == since


def _trimmed(found: LogRange) -> str:
    """The time without zeros that say nothing."""
    since = found.since
    return since.rstrip("0").rstrip(".") if "." in since else since
