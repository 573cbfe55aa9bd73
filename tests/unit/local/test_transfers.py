"""Names of images, and what engines say while images move; which side of a copy is where."""

import pytest

from stackctl.cli.cp import Side, parse_side
from stackctl.errors import Denied, InputError
from stackctl.local.failures import StepFailed
from stackctl.local.image_transfer import TransferStep, split_reference, transfer_steps


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("redis", "redis", "latest"),
        ("redis:7", "redis", "7"),
        ("host:5000/redis", "host:5000/redis", "latest"),
        ("host:5000/redis:7", "host:5000/redis", "7"),
        ("redis:7@sha256:ab", "redis", "sha256:ab"),
    ],
)
def test_references_have_a_name_and_a_tag(reference: str, name: str, tag: str) -> None:
    assert split_reference(reference) == (name, tag)


def test_lines_become_steps() -> None:
    lines = [
        b'{"status":"Pulling from library/redis","id":"7"}',
        b'{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"ab"}',
        b"",
        b'{"aux":{"Size":1}}',
    ]
    assert list(transfer_steps(lines, "cannot pull")) == [
        TransferStep("7", "Pulling from library/redis"),
        TransferStep("ab", "Downloading", 5, 9),
    ]


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        ("pull access denied for x", Denied, "docker login"),
        ("dial tcp: connection refused", StepFailed, "is the registry up"),
        ("write: no space left on device", StepFailed, "docker system prune"),
    ],
)
def test_failures_say_what_to_do(words: str, kind: type[StepFailed | Denied], hint: str) -> None:
    line = b'{"error":"%b"}' % words.encode()
    with pytest.raises(kind, match="cannot pull x: ") as raised:
        list(transfer_steps([line], "cannot pull x"))
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("web:/etc", Side("web", "/etc")),
        ("web:etc", Side("web", "etc")),
        ("./a:b", Side("", "./a:b")),
        ("/a:b", Side("", "/a:b")),
        ("file", Side("", "file")),
        ("-", Side("", "-")),
    ],
)
def test_a_side_is_in_a_service_or_here(text: str, side: Side) -> None:
    assert parse_side(text) == side


def test_a_service_without_a_path_is_refused() -> None:
    with pytest.raises(InputError, match="names no path"):
        parse_side("web:")
