"""Small pure pieces: what is observed, orders, lines of logs, rows, flags, endpoints."""

import hashlib
import json
from pathlib import Path

import pytest

from stackctl.cli.local_options import parse_scale
from stackctl.cli.render.containers import ports_text
from stackctl.cli.render.log_prefixes import Prefixes, PrefixStyle
from stackctl.cli.render.step_progress import json_line, plain_line
from stackctl.cli.up_flags import recreation, refuse_both
from stackctl.errors import InputError, UnknownName
from stackctl.local.engine.client import with_query
from stackctl.local.engine.endpoint import Endpoint, find_endpoint
from stackctl.local.engine.frames import frames
from stackctl.local.image_needs import ImageFlags, PullFlag, image_needs
from stackctl.local.logs import engine_time, parse_lines
from stackctl.local.observed import ObservedImage, Publisher, containers_from
from stackctl.local.order import in_start_order, in_stop_order
from stackctl.local.progress import Phase, Progress
from stackctl.local.running import plan_restart, plan_start, restarting_dependents
from tests.local_stacks import STACK, container, document


def test_a_container_is_read_from_the_engines_list() -> None:
    (found,) = containers_from(
        [
            {
                "Id": "a" * 64,
                "Names": ["/other/link", "/shop-web-1"],
                "State": "exited",
                "Status": "Exited (137) 3 seconds ago",
                "Labels": {
                    "com.docker.compose.service": "web",
                    "com.docker.compose.container-number": "2",
                    "com.docker.compose.oneoff": "True",
                },
                "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
            }
        ]
    )
    assert (found.name, found.service, found.number) == ("shop-web-1", "web", 2)
    assert (found.exit_code, found.is_one_off, found.is_alive) == (137, True, False)
    assert found.publishers == (Publisher("0.0.0.0", 80, 8080, "tcp"),)


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 seconds (healthy)", "healthy"),
        ("Up 2 seconds (health: starting)", "starting"),
        ("Up 2 seconds (unhealthy)", "unhealthy"),
        ("Up 2 seconds", ""),
    ],
)
def test_health_is_read_from_the_status(status: str, health: str) -> None:
    (found,) = containers_from([{"Id": "a", "State": "running", "Status": status}])
    assert found.health == health


def test_services_start_after_and_stop_before_what_they_need(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [c]}, c: {image: x}}"
    )
    found = document(tmp_path, text)
    assert [it.key for it in in_start_order(found, ["a", "b", "c"])] == ["c", "b", "a"]
    running = [
        container("a", depends_on="b:service_started:false"),
        container("b", depends_on="c:service_started:false"),
        container("c"),
        container("a", 9)._replace(is_one_off=True),
    ]
    groups = [[it.service for it in group] for group in in_stop_order(running)]
    assert groups == [["a"], ["a"], ["b"], ["c"]]


def test_a_ring_in_labels_of_others_stops_all_the_same() -> None:
    ring = [container("a", depends_on="b:x:false"), container("b", depends_on="a:x:false")]
    assert sum(len(group) for group in in_stop_order(ring)) == 2


def test_starting_waits_for_what_the_labels_say() -> None:
    web = container("web", status="Exited (0)", depends_on="db:service_healthy:false")
    keys = [step.key for step in plan_start([web, container("db", status="Exited (0)")]).steps]
    assert keys == ["start shop-db-1", "await db service_healthy", "start shop-web-1"]


def test_restarting_takes_along_who_asked_for_it() -> None:
    web = container("web", depends_on="db:service_started:true")
    other = container("other", depends_on="db:service_started:false")
    database = container("db")
    dependents = restarting_dependents([web, other, database], ["db"])
    assert [it.name for it in dependents] == ["shop-web-1"]
    made = plan_restart([database], dependents, timeout_seconds=None)
    assert [step.key for step in made.steps] == [
        "stop shop-web-1",
        "stop shop-db-1",
        "start shop-db-1",
        "start shop-web-1",
    ]


def test_frames_may_be_cut_anywhere() -> None:
    whole = b"\x01\0\0\0\0\0\0\x03abc" + b"\x02\0\0\0\0\0\0\x01x"
    for size in range(1, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [it.content for it in frames(pieces, tty=False)] == [b"abc", b"x"]


def _frame(stream: int, content: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(content).to_bytes(4, "big") + content


def test_a_long_line_in_several_frames_is_one_line() -> None:
    body = _frame(1, b"2026-01-01T00:00:00.1Z aaa") + _frame(2, b"2026-01-01T00:00:00.2Z e\n")
    body += _frame(1, b"2026-01-01T00:00:00.3Z bbb\n")
    found = [(it.text, it.is_error) for it in parse_lines([body], "web", tty=False)]
    assert found == [("e", True), ("aaabbb", False)]


def test_lines_of_a_terminal_have_no_frames() -> None:
    body = [b"2026-01-01T00:00:00.1Z one\r\n2026-01-01T00:00:00.2Z t", b"wo\r\n"]
    assert [it.text for it in parse_lines(body, "web", tty=True)] == ["one", "two"]


def test_the_engine_is_asked_in_seconds_and_nanoseconds() -> None:
    assert engine_time("1970-01-01T00:01:00.000000005Z") == "60.000000005"


@pytest.mark.parametrize(
    ("publishers", "text"),
    [
        ((Publisher("0.0.0.0", 80, 8080, "tcp"),), "0.0.0.0:8080->80/tcp"),
        ((Publisher("", 80, 0, "tcp"), Publisher("", 81, 0, "tcp")), "80-81/tcp"),
        ((Publisher("::", 80, 8080, "tcp"),), "[::]:8080->80/tcp"),
        (
            (Publisher("0.0.0.0", 80, 8080, "udp"), Publisher("0.0.0.0", 81, 8081, "udp")),
            "0.0.0.0:8080-8081->80-81/udp",
        ),
    ],
)
def test_ports_are_written_as_docker_does(publishers: tuple[Publisher, ...], text: str) -> None:
    assert ports_text(publishers) == text


def test_prefixes_are_as_wide_as_the_longest_name() -> None:
    prefixes = Prefixes(PrefixStyle(), stack_name=STACK)
    prefixes.add("shop-database-1")
    assert prefixes.line("shop-web-1", "hello") == "web-1       | hello\n"
    coloured = Prefixes(PrefixStyle(has_colour=True, has_time=True), stack_name=STACK)
    assert coloured.line("shop-web-1", "x", at="T") == "\x1b[36mweb-1  |\x1b[0m T x\n"
    assert Prefixes(PrefixStyle(has_prefix=False), stack_name=STACK).line("a", "x") == "x\n"


def test_progress_has_a_line_for_people_and_one_for_programs() -> None:
    progress = Progress("Container shop-web-1", Phase.DONE, "Started")
    assert plain_line(progress) == " Container shop-web-1  Started"
    assert json.loads(json_line(progress)) == {
        "id": "Container shop-web-1",
        "status": "Done",
        "text": "Started",
    }


def test_scales_are_services_and_numbers() -> None:
    assert parse_scale(["web=3", "db=0"]) == {"web": 3, "db": 0}
    for wrong in ("web", "web=", "=3", "web=-1", "web=²"):
        with pytest.raises(InputError):
            parse_scale([wrong])


def test_flags_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="--force-recreate and --no-recreate"):
        recreation(force=True, never=True)
    with pytest.raises(InputError, match="--build and --no-build"):
        refuse_both({"--build": True, "--no-build": True})


def test_queries_are_as_the_engine_reads_them() -> None:
    query = {"all": True, "t": None, "filters": {"label": ["a=b"]}, "name": "x y"}
    assert with_query("/a", query) == (
        "/a?all=1&filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D&name=x+y"
    )


def test_the_engine_is_where_docker_would_look(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert find_endpoint(home).path == "/var/run/docker.sock"
    assert find_endpoint({**home, "DOCKER_HOST": "unix:///x.sock"}) == Endpoint(path="/x.sock")
    tcp = find_endpoint({**home, "DOCKER_HOST": "tcp://h:99", "DOCKER_TLS_VERIFY": "1"})
    assert (tcp.host, tcp.port, tcp.tls) == ("h", 99, str(tmp_path / ".docker"))
    with pytest.raises(InputError):
        find_endpoint({**home, "DOCKER_HOST": "ssh://h"})
    with pytest.raises(UnknownName):
        find_endpoint({**home, "DOCKER_CONTEXT": "nowhere"})
    key = hashlib.sha256(b"lab").hexdigest()
    meta = tmp_path / ".docker" / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text('{"Endpoints": {"docker": {"Host": "tcp://[::1]:7"}}}')
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "lab"}')
    assert find_endpoint(home) == Endpoint(host="::1", port=7)


@pytest.mark.parametrize(
    ("service", "flags", "there", "wanted"),
    [
        ("image: x", ImageFlags(), False, (["x"], [])),
        ("image: x", ImageFlags(), True, ([], [])),
        ("image: x", ImageFlags(PullFlag.ALWAYS), True, (["x"], [])),
        ("image: x", ImageFlags(PullFlag.NEVER), False, ([], [])),
        ("{image: x, pull_policy: always}", ImageFlags(), True, (["x"], [])),
        ("{image: x, pull_policy: never}", ImageFlags(), False, ([], [])),
        ("{image: x, pull_policy: daily}", ImageFlags(), True, (["x"], [])),
        ("build: .", ImageFlags(), False, ([], ["a"])),
        ("build: .", ImageFlags(), True, ([], [])),
        ("build: .", ImageFlags(builds=True), True, ([], ["a"])),
        ("build: .", ImageFlags(never_builds=True), False, ([], [])),
        ("{build: ., pull_policy: build}", ImageFlags(), True, ([], ["a"])),
    ],
)
def test_images_are_fetched_or_built(
    tmp_path: Path,
    service: str,
    flags: ImageFlags,
    there: bool,
    wanted: tuple[list[str], list[str]],
) -> None:
    body = service if service.startswith("{") else "{" + service + "}"
    found = document(tmp_path, f"services: {{a: {body}}}")
    images = {"x": ObservedImage("i"), "shop-a": ObservedImage("i")} if there else {}
    needs = image_needs(STACK, found.services, images, flags, now=1e9)
    found_needs = ([it.image for it in needs.pulls], [it.key for it in needs.builds])
    assert found_needs == wanted
