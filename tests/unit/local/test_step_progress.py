"""Steps on a terminal: a line for each, redrawn; what moves is seen when there are many."""

import io

import pytest

from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.render.terminal import Terminal
from stackctl.local.progress import Phase, Progress


class Screen(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        return True


def drawn(*reports: Progress, mode: ProgressMode = ProgressMode.AUTO, lines: str = "30") -> str:
    """The last picture of a terminal of sixty columns."""
    screen = Screen()
    environment = {"COLUMNS": "60", "LINES": lines, "NO_COLOR": "1"}
    terminal = Terminal(io.StringIO(), screen, environment)
    with StepProgress(terminal, mode, title="up") as progress:
        for report in reports:
            progress.report(report)
    return screen.getvalue().rpartition("[+]")[2]


def test_each_resource_has_one_line_with_its_time() -> None:
    picture = drawn(
        Progress("Network n", Phase.WORKING, "Creating"),
        Progress("Network n", Phase.DONE, "Created"),
        Progress("Container web", Phase.ERROR, "Error", "no such image"),
    )
    title, network, web, _ = picture.split("\n")
    assert title == " up 2/2"
    assert network.startswith("\x1b[2K ✔ Network n      Created")
    assert network.endswith("s")
    assert "✘ Container web  Error  no such image" in web


def test_what_moves_is_seen_when_the_screen_is_short() -> None:
    done = [Progress(f"Container c{number}", Phase.DONE, "Started") for number in range(20)]
    picture = drawn(*done, Progress("Container last", Phase.WORKING, "Starting"), lines="8")
    assert "Container last" in picture
    assert "more" in picture
    assert picture.count("\n") <= 8


def test_layers_are_counted_beside_their_image() -> None:
    picture = drawn(
        Progress("Image x", Phase.WORKING, "Pulling"),
        Progress("a", Phase.DONE, "Pull complete", parent="Image x"),
        Progress("b", Phase.WORKING, "Downloading", parent="Image x"),
    )
    assert "Pulling  1/2 layers" in picture


@pytest.mark.parametrize("mode", [ProgressMode.PLAIN, ProgressMode.JSON, ProgressMode.QUIET])
def test_other_modes_move_no_cursor(mode: ProgressMode) -> None:
    picture = drawn(Progress("Network n", Phase.DONE, "Created"), mode=mode)
    assert "\x1b" not in picture
    assert bool(picture) == (mode is not ProgressMode.QUIET)


def test_what_a_builder_says_stays_above_what_moves() -> None:
    screen = Screen()
    environment = {"COLUMNS": "60", "LINES": "30", "NO_COLOR": "1"}
    with StepProgress(
        Terminal(io.StringIO(), screen, environment), ProgressMode.TTY, title="up"
    ) as progress:
        progress.report(Progress("Image x", Phase.WORKING, "Building", output="#1 FROM y"))
        progress.report(Progress("Image x", Phase.DONE, "Built"))
    before, _, picture = screen.getvalue().rpartition("[+]")
    assert "#1 FROM y\n" in before
    assert "#1 FROM y" not in picture
    assert picture.startswith(" up 1/1\n")


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (ProgressMode.PLAIN, "#1 FROM y\n"),
        (ProgressMode.JSON, '"details": "#1 FROM y"'),
        (ProgressMode.QUIET, ""),
    ],
)
def test_what_a_builder_says_is_a_line_elsewhere(mode: ProgressMode, shown: str) -> None:
    said = Progress("Image x", Phase.WORKING, "Building", output="#1 FROM y")
    picture = drawn(said, mode=mode)
    assert picture == shown if mode is not ProgressMode.JSON else shown in picture


def test_plain_lines_leave_the_first_failure_to_the_end_of_the_command() -> None:
    failures = [Progress(f"Container {name}", Phase.ERROR, "Error", "why") for name in "ab"]
    assert drawn(*failures, mode=ProgressMode.PLAIN) == (
        " Container a  Error\n Container b  Error  why\n"
    )
