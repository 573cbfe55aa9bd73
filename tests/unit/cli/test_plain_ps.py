"""The way of `ps` past typer understands what typer does, and leaves the rest to it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.cli import main
from stackctl.cli.listings import plain_ps
from tests.fakes.engine_socket import serve_lists

CONTAINERS = [
    {
        "Id": f"{number}" * 64,
        "Names": [f"/shop-{service}-1"],
        "Image": "busybox",
        "Command": "sleep 1000 and some more words",
        "Created": 1_700_000_000,
        "State": state,
        "Status": status,
        "Labels": {
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": "1",
        },
    }
    for number, service, state, status in (
        (1, "web", "running", "Up 5 minutes (healthy)"),
        (2, "db", "exited", "Exited (3) 2 minutes ago"),
    )
]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    path = tmp_path / "engine.sock"
    with serve_lists(path, {"/containers/json": CONTAINERS}):
        yield {"DOCKER_HOST": f"unix://{path}", "HOME": str(tmp_path)}


@pytest.mark.parametrize(
    "words",
    [
        "ps",
        "ps -a",
        "ps --all --no-trunc",
        "ps -q",
        "ps web",
        "ps --services",
        "ps --status exited",
        "ps --filter status=running",
        "ps --format json -a",
        "ps --format {{.Name}}",
        "ps nobody",
        "ps --status asleep",
    ],
)
def test_both_ways_print_the_same(
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: x}}\n")
    plain = main.main(["-p", "shop", *words.split()], environment)
    said = capsys.readouterr()
    # The long form of a flag with its value in one word is typer's alone.
    through_typer = main.main(["--project-name=shop", *words.split()], environment)
    assert (through_typer, *capsys.readouterr()) == (plain, *said)


def test_the_name_is_that_of_the_file(
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: x}}\n")
    assert main.main(["ps", "--format", "json"], environment) == 0
    (found,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (found["Name"], found["Health"]) == ("shop-web-1", "healthy")


@pytest.mark.parametrize(
    "words", ["ps --help", "ps --unknown", "ps --format", "service ps", "-H x ps", "ps --all=true"]
)
def test_the_rest_is_left_to_typer(words: str) -> None:
    assert plain_ps.run(None, words.split()) is None  # type: ignore[arg-type]  # never looked at


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("ps", []),
        ("ps -a", ["shop-web-run-1"]),
        ("ps --status running", ["shop-web-run-1"]),
        ("ps --status exited", []),
    ],
)
def test_containers_of_run_are_shown_by_who_asks_for_all_or_a_status(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, shown: list[str]
) -> None:
    path = tmp_path / "engine.sock"
    one_off = {**CONTAINERS[0]["Labels"], "com.docker.compose.oneoff": "True"}  # type: ignore[dict-item]  # of mixed values
    with serve_lists(
        path,
        {"/containers/json": [{**CONTAINERS[0], "Names": ["/shop-web-run-1"], "Labels": one_off}]},
    ):
        environment = {"DOCKER_HOST": f"unix://{path}", "HOME": str(tmp_path)}
        words_ = ["-p", "shop", *words.split(), "--format", "{{.Name}}"]
        assert main.main(words_, environment) == 0
    assert capsys.readouterr().out.splitlines() == shown


def test_json_by_a_template_is_json(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for layout in ("json", "{{json .}}"):
        assert main.main(["-p", "shop", "ps", "-a", "--format", layout], environment) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert [json.loads(line)["ExitCode"] for line in printed[0].splitlines()] == [3, 0]


def test_orphans_can_be_left_out_as_compose_writes_it(
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {db: {image: x}}\n")
    assert main.main(["ps", "-a", "--orphans=false", "--services"], environment) == 0
    assert capsys.readouterr().out == "db\n"
