"""The engine's JSON and streams as our values."""

import io
from typing import Any

import pytest

from agent.core.observed import ContainerState, Health
from agent.drivers import engine_values, log_frames

LABELS = {"stackctl.task.id": "t1", "stackctl.task.name": "web.1"}


def inspected(**fields: Any) -> dict[str, Any]:
    return {
        "Id": "c1",
        "Name": "/web.1.t1",
        "State": {"Status": "running", "Pid": 7},
        "Config": {"Labels": LABELS},
        **fields,
    }


def test_container_without_our_labels_or_name_is_none_of_ours() -> None:
    assert engine_values.container_from_inspect(inspected(Config={"Labels": None})) is None
    assert engine_values.container_from_inspect(inspected(Name="/mine")) is None


def test_absent_fields_have_defaults() -> None:
    container = engine_values.container_from_inspect(inspected())
    assert container is not None
    assert container.state is ContainerState.RUNNING
    assert container.health is Health.NONE
    assert container.stop_grace_seconds == 10
    assert container.networks == ()


def test_switched_off_health_check_is_none() -> None:
    config = {"Labels": LABELS, "Healthcheck": {"Test": ["NONE"]}}
    container = engine_values.container_from_inspect(inspected(Config=config))
    assert container is not None
    assert (container.health, container.health_command) == (Health.NONE, ())


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (["CMD", "curl", "-f", "x"], ("curl", "-f", "x")),
        (["CMD-SHELL", "curl x || exit 1"], ("/bin/bash", "-c", "curl x || exit 1")),
        (["NONE"], ()),
        ([], ()),
    ],
)
def test_health_test_becomes_a_command(test: list[str], command: tuple[str, ...]) -> None:
    assert engine_values.health_command(test, ["/bin/bash", "-c"]) == command


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 minutes", Health.NONE),
        ("Up 2 minutes (healthy)", Health.HEALTHY),
        ("Up 2 minutes (unhealthy)", Health.UNHEALTHY),
        ("Up 1 second (health: starting)", Health.STARTING),
    ],
)
def test_list_tells_the_health(status: str, health: Health) -> None:
    body = {
        "Id": "c1",
        "Names": ["/web.1.t1"],
        "Labels": LABELS,
        "State": "running",
        "Status": status,
    }
    summary = engine_values.summary_from_list(body)
    assert summary is not None
    assert summary.health is health


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("nginx:1.27", "nginx", "1.27"),
        ("host:5000/team/shop", "host:5000/team/shop", "latest"),
        ("host:5000/team/shop:2", "host:5000/team/shop", "2"),
        ("nginx@sha256:ab", "nginx", "sha256:ab"),
    ],
)
def test_image_reference_is_never_all_tags(image: str, repository: str, tag: str) -> None:
    assert engine_values.image_reference(image) == (repository, tag)


def test_log_line_carries_its_time() -> None:
    entry = engine_values.log_entry("stdout", b"2026-11-23T14:26:46.763026037Z hello world\r\n")
    assert entry.text == b"hello world"
    assert entry.at == pytest.approx(1795444006.763026, abs=1e-3)
    assert engine_values.log_entry("stdout", b"no stamp at all\n").text == b"no stamp at all"


def test_frames_are_taken_apart_and_long_ones_come_in_pieces() -> None:
    long = b"x" * (log_frames.PIECE_BYTES_MAX + 5)
    stream = io.BytesIO(
        b"\x01\0\0\0\0\0\0\x02ab"
        b"\x02\0\0\0" + len(long).to_bytes(4, "big") + long + b"\x01\0\0"  # cut off
    )
    pieces = list(log_frames.frames(stream.read))
    assert [(source, len(piece)) for source, piece in pieces] == [
        ("stdout", 2),
        ("stderr", log_frames.PIECE_BYTES_MAX),
        ("stderr", 5),
    ]


def test_terminal_output_is_cut_into_lines() -> None:
    chunks = iter([b"one\ntw", b"o\n", b"rest", b""])
    lines = list(log_frames.terminal_lines(lambda _: next(chunks)))
    assert lines == [("stdout", b"one"), ("stdout", b"two"), ("stdout", b"rest")]


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-01-02T03:04:05.123456789Z", 1767323045.0),
        ("2026-01-02T04:04:05.1+01:00", 1767323045.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("soon", 0.0),
    ],
)
def test_an_image_tells_when_it_was_named(stamp: str, seconds: float) -> None:
    assert engine_values.tagged_at({"Metadata": {"LastTagTime": stamp}}) == seconds
    assert engine_values.tagged_at({}) == 0


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIGHUP", 1), ("hup", 1), ("15", 15), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-2", 62)],
)
def test_a_signal_has_the_number_that_engines_say(name: str, number: int) -> None:
    assert engine_values.signal_number(name) == number
