"""Values to text: ages, order, ports, templates, tables on terminals of any width."""

import io
import json
from typing import Any

import pytest

from stackctl.cli.moments import parse_moment
from stackctl.cli.render import ages, images, natural, ports, tables, templates
from stackctl.cli.render.logs import LogStyle, render_log_line
from stackctl.cli.render.progress import ProgressLines, render_block, render_progress
from stackctl.cli.render.terminal import Terminal
from stackctl.client.progress import ServiceProgress
from stackctl.client.views import PortView, complete_log_line
from stackctl.errors import InputError

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "Less than a second"),
        (0.9, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (MINUTE, "About a minute"),
        (2 * MINUTE, "2 minutes"),
        (59 * MINUTE + 59, "59 minutes"),
        (HOUR, "About an hour"),
        (1.6 * HOUR, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13.9 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (800 * DAY, "2 years"),
    ],
)
def test_durations_are_said_in_swarms_words(seconds: float, text: str) -> None:
    assert ages.render_duration(seconds) == text


def test_names_are_in_natural_order() -> None:
    names = ["web.10", "web.9", "2web", "10web", "web", "web.1a", "web.1"]
    expected = ["2web", "10web", "web", "web.1", "web.1a", "web.9", "web.10"]
    assert sorted(names, key=natural.natural_key) == expected


def port(published: int, target: int, protocol: str = "tcp", mode: str = "ingress") -> PortView:
    return {"published": published, "target": target, "protocol": protocol, "mode": mode}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], ""),
        ([port(80, 80)], "*:80->80/tcp"),
        ([port(81, 81), port(80, 80)], "*:80-81->80-81/tcp"),
        (
            [port(80, 8080), port(81, 8081), port(83, 8083)],
            "*:80-81->8080-8081/tcp, *:83->8083/tcp",
        ),
        ([port(80, 80), port(81, 90)], "*:80->80/tcp, *:81->90/tcp"),
        ([port(53, 53, "udp"), port(53, 53)], "*:53->53/tcp, *:53->53/udp"),
        ([port(80, 80, mode="host")], ""),
    ],
)
def test_neighbouring_ports_are_one_range(given: list[PortView], text: str) -> None:
    assert ports.render_ports(given, mode="ingress") == text


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("web:1", "web:1"),
        ("web:1@sha256:ab", "web:1"),
        ("registry:5000/web@sha256:ab", "registry:5000/web@sha256:ab"),
        ("web@sha256:ab", "web@sha256:ab"),
    ],
)
def test_a_digest_is_hidden_where_there_is_a_tag(image: str, shown: str) -> None:
    assert images.without_digest(image) == shown


def test_templates_reach_into_values() -> None:
    value = {"Name": "a", "Spec": {"Labels": {"x.y": "z"}, "on": True}, "Count": 3}
    template = templates.parse_template("{{.Name}}\\t{{ .Count }} {{json .Spec}}\\n{{.Spec.on}}")
    assert template.render(value) == 'a\t3 {"Labels": {"x.y": "z"}, "on": true}\ntrue'
    assert json.loads(templates.parse_template("{{json .}}").render(value)) == value


@pytest.mark.parametrize("text", ["{{.Name", "Name}}", "{{Name}}", "{{range .A}}", "{{.}}", "{{}}"])
def test_other_templates_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        templates.parse_template(text)


COLUMNS = tables.Columns(
    headers={"Name": "NAME", "Error": "ERROR", "Ports": "PORTS"},
    shown=("Name", "Error", "Ports"),
    cut="Error",
)
LONG = '"no suitable node (scheduling constraints not satisfied on 3 nodes)"'
ROWS = [{"Name": "web.1", "Error": LONG, "Ports": "*:80->80/tcp"}]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_errors_give_way_to_a_narrow_terminal(width: int) -> None:
    line = tables.render_list(ROWS, COLUMNS, layout="", width=width).splitlines()[1]
    assert len(line) == min(width, 10 + len(LONG) + 3 + len("*:80->80/tcp"))
    assert '"   *:80->80/tcp' in line


def test_errors_are_never_cut_below_thirty_characters() -> None:
    line = tables.render_list(ROWS, COLUMNS, layout="", width=20).splitlines()[1]
    assert '"no suitable node (scheduling…"' not in line
    assert '"no suitable node (schedulin…"' in line


def test_control_characters_of_an_error_reach_no_terminal() -> None:
    rows = [{"Name": "web.1", "Error": "a\nb\x1b[31m", "Ports": ""}]
    assert tables.render_list(rows, COLUMNS, layout="", width=None).splitlines()[1:] == [
        "web.1     a b [31m"
    ]


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def progress(name: str, running: int, desired: int, **fields: Any) -> ServiceProgress:
    is_done = running == desired
    return ServiceProgress(name, running, desired, is_done=is_done)._replace(**fields)


def test_progress_says_what_does_not_run_yet() -> None:
    counts = (("pending", 1), ("starting", 1))
    shown = progress("shop_web", 1, 3, counts=counts, update="updating", reason="no node")
    assert render_progress(shown) == "shop_web 1/3 (updating) pending 1 starting 1: no node"


def test_without_a_terminal_no_line_is_repeated() -> None:
    errors = io.StringIO()
    lines = ProgressLines(Terminal(io.StringIO(), errors, {}))
    for running in (0, 0, 1, 1, 2, 2):
        lines.show([progress("web", running, 2), progress("db", 1, 1)])
    assert errors.getvalue().splitlines() == ["web 0/2", "db 1/1", "web 1/2", "web 2/2"]


def test_on_a_terminal_lines_are_drawn_in_place() -> None:
    screen = Screen()
    lines = ProgressLines(Terminal(io.StringIO(), screen, {"NO_COLOR": "1"}))
    lines.show([progress("web", 0, 2), progress("db", 0, 1)])
    lines.show([progress("web", 0, 2), progress("db", 0, 1)])
    lines.show([progress("web", 1, 2), progress("db", 1, 1)])
    assert screen.getvalue() == (
        "\x1b[2Kweb 0/2\n\x1b[2Kdb 0/1\n\x1b[J\x1b[2A\x1b[2Kweb 1/2\n\x1b[2Kdb 1/1\n\x1b[J"
    )


def test_more_services_than_rows_hide_those_that_are_done() -> None:
    many = [progress(f"s{number}", number % 2, 1) for number in range(10)]
    assert render_block(many, width=80, height=6) == [
        "s0 0/1",
        "s2 0/1",
        "s4 0/1",
        "s6 0/1",
        "… and 6 more; 5 of 10 done",
    ]


def test_lines_are_cut_to_the_terminal() -> None:
    shown = progress("web", 0, 1, reason="x" * 200)
    assert [len(line) for line in render_block([shown], width=40, height=10)] == [39]


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Screen, {}, True),
        (Screen, {"NO_COLOR": "1"}, False),
        (Screen, {"TERM": "dumb"}, False),
        (io.StringIO, {}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_unless_told(
    stream: type[io.StringIO], environment: dict[str, str], expected: bool
) -> None:
    terminal = Terminal(io.StringIO(), stream(), environment)
    assert ("\x1b" in terminal.paint("x", "green")) is expected


def test_the_width_of_a_terminal_can_be_told() -> None:
    assert Terminal(Screen(), io.StringIO(), {"COLUMNS": "77"}).table_width == 77
    assert Terminal(io.StringIO(), io.StringIO(), {"COLUMNS": "77"}).table_width is None


LINE = complete_log_line(
    {
        "at": 1_700_000_000.25,
        "task_id": "abcdefghijklmnopqrstuvwxy",
        "task": "web.1",
        "node": "n1",
        "source": "stdout",
        "text": "hello",
    }
)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (LogStyle(), "web.1.abcdefghijkl@n1    | hello\n"),
        (LogStyle(is_cut=False), "web.1.abcdefghijklmnopqrstuvwxy@n1    | hello\n"),
        (LogStyle(has_task_id=False), "web.1@n1    | hello\n"),
        (LogStyle(is_resolved=False), "abcdefghijklmnopqrstuvwxy    | hello\n"),
        (LogStyle(is_raw=True), "hello\n"),
        (LogStyle(is_raw=True, has_time=True), "2023-11-14T22:13:20.250000Z hello\n"),
    ],
)
def test_log_lines_say_who_wrote_them(style: LogStyle, text: str) -> None:
    assert render_log_line(LINE, style) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 910.0),
        ("1h30m", -4400.0),
        ("1.5m", 910.0),
        ("123.5", 123.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14 22:13:20", 1_700_000_000.0),
        ("1970-01-02", 86400.0),
    ],
)
def test_moments_are_ages_dates_or_numbers(text: str, expected: float) -> None:
    assert parse_moment(text, now=1000.0) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-3m", "3 m", "3y"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_moment(text, now=0)
