"""The program as a whole: help, usage errors, exit codes, and what a start imports."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from stackctl.cli import groups, main
from stackctl.cli.moments import parse_duration
from stackctl.cli.program import app
from stackctl.errors import InputError
from tests.command_line import Run
from tests.fakes.api import FakeApi
from tests.fakes.api_cluster import FakeCluster

HEAVY = {
    "aiohttp",
    "asyncio",
    "cryptography",
    "docker",
    "email",
    "h2",
    "http",
    "immutables",
    "jsonschema",
    "logging",
    "msgspec",
    "paramiko",
    "prometheus_client",
    "pydantic",
    "pyroute2",
    "pysyncobj",
    "requests",
    "rich",
    "ssl",
    "yaml",
}


def commands() -> list[tuple[str, Any]]:
    """Every command but the lab's, which are another's, with its path."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="stackctl")
    found: list[tuple[str, Any]] = []
    for name in groups.ENTRIES:
        if name == "lab":
            continue
        command = root.get_command(context, name)  # type: ignore[attr-defined] # - it is a group
        below = getattr(command, "commands", None)
        if below is None:
            found.append((name, command))
        else:
            found += [(f"{name} {verb}", each) for verb, each in below.items() if not each.hidden]
    return found


COMMANDS = commands()
IDS = [path for path, _ in COMMANDS]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_command_has_a_sentence_and_two_examples(path: str, command: Any) -> None:
    assert command.help.split("\n")[0].endswith(".")
    examples = [line.strip() for line in command.epilog.splitlines() if "stackctl " in line]
    assert len(examples) == 2
    verb = path.rsplit(maxsplit=1)[-1]
    assert all(f" {verb}" in example for example in examples)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_option_and_argument_has_a_sentence(path: str, command: Any) -> None:
    without = [
        each.name for each in command.params if not (getattr(each, "help", "") or "").strip()
    ]
    assert without == []


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_help_is_printed_for_every_command(run: Run, path: str, command: Any) -> None:
    done = run(*path.split(), "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: stackctl {path} ")
    assert done.out.count("\n    stackctl ") == 2


@pytest.mark.parametrize("name", list(groups.ENTRIES))
def test_the_help_table_says_what_the_modules_say(name: str) -> None:
    root = typer.main.get_command(app)
    command = root.get_command(typer.Context(root), name)  # type: ignore[attr-defined] # - a group
    assert command.help.split("\n")[0] == groups.ENTRIES[name].help


def test_the_program_alone_prints_its_help(run: Run) -> None:
    done = run()
    assert done.code == 0
    assert done.out == run("--help").out
    assert done.out == run("-h").out


def test_the_version_has_a_flag(run: Run) -> None:
    assert re.fullmatch(r"stackctl \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["servcie"], "no such command 'servcie'. Did you mean 'service'?", "stackctl --help"),
        (
            ["service", "lss"],
            "no such command 'lss'. Did you mean 'ls'?",
            "stackctl service --help",
        ),
        (["service", "ps"], "missing argument 'SERVICE...'", "stackctl service ps --help"),
        (
            ["service", "ls", "--filtre", "x"],
            "no such option: --filtre",
            "stackctl service ls --help",
        ),
        (["service", "ls", "--context", "x"], "no such option: --context", "stackctl --context …"),
        (
            ["deploy", "--timeout", "soon", "x"],
            "'soon' is not a duration",
            "write 90, 90s or 1m30s",
        ),
    ],
)
def test_wrong_flags_are_answered_in_two_lines(
    run: Run, words: list[str], message: str, hint: str
) -> None:
    done = run(*words)
    assert done.code == 2
    first, second = done.err.splitlines()
    assert first.startswith(f"stackctl: {message}")
    assert second.startswith("hint: ")
    assert hint in second


def test_flags_with_values_are_understood_as_swarm_writes_them(shop: FakeCluster, run: Run) -> None:
    assert run("stack", "rm", "--detach=true", "shop").err == ""
    assert shop.stacks["shop"].removing
    assert run("stack", "rm", "--detach=false", "shop").code == 0
    assert shop.stacks == {}


def test_a_manager_that_is_not_there_is_answered_in_two_lines(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["STACKCTL_ENDPOINT"] = f"unix://{tmp_path}/nobody.sock"
    done = run("service", "ls")
    assert done.code == 3
    first, second = done.err.splitlines()
    assert first == (
        f"stackctl: no manager answers at unix://{tmp_path}/nobody.sock (no such file or directory)"
    )
    assert "--endpoint" in second


def test_a_fault_of_our_own_is_one_sentence_without_debug(run: Run, fake_api: FakeApi) -> None:
    fake_api.refusal = (200, b'[{"id": 7}]')
    done = run("service", "ls")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.err.splitlines()[0].startswith("stackctl: this is a fault of stackctl itself: ")
    assert "--debug" in done.err.splitlines()[1]


def test_debug_shows_where_it_came_from(
    run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["STACKCTL_ENDPOINT"] = f"unix://{tmp_path}/nobody.sock"
    with pytest.raises(Exception, match="no manager answers"):
        run("--debug", "service", "ls")


def start(*words: str, endpoint: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The console script in a process of its own."""
    script = "from stackctl.cli import main; main.run()"
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script, *words],
        env={**os.environ, "STACKCTL_ENDPOINT": endpoint, "HOME": "/nonexistent"},
        cwd=Path(__file__).parents[3],
        text=True,
        timeout=20,
        check=False,
        stderr=subprocess.PIPE,
        **options,
    )


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("command", ["service ps shop_web", "stack ls", "node ls --format json"])
def test_a_listing_imports_neither_typer_nor_anything_heavy(
    shop: FakeCluster, fake_api: FakeApi, command: str
) -> None:
    done = start(*command.split(), endpoint=fake_api.endpoint, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert done.stdout
    assert imported(done) & (HEAVY | {"typer", "inspect", "subprocess"}) == set()


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "service ps --help",
        "service inspect shop_web",
        "service scale -d shop_web=3",
        "version",
    ],
)
def test_other_commands_import_nothing_heavy_either(
    shop: FakeCluster, fake_api: FakeApi, command: str
) -> None:
    done = start(*command.split(), endpoint=fake_api.endpoint, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert imported(done) & HEAVY == set()


def test_only_the_module_of_the_command_is_imported(shop: FakeCluster, fake_api: FakeApi) -> None:
    done = start("--help", endpoint=fake_api.endpoint, stdout=subprocess.PIPE)
    ours = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    modules = {f"stackctl.cli.{entry.module}" for entry in groups.ENTRIES.values()}
    assert ours & modules == set()


def test_a_reader_that_goes_away_is_no_fault(shop: FakeCluster, fake_api: FakeApi) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = start("service", "ls", endpoint=fake_api.endpoint, stdout=writer)
    os.close(writer)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert said == []
    assert done.returncode == 141


@pytest.mark.parametrize("command", ["service ls", "--help"])
def test_a_full_disk_is_named(shop: FakeCluster, fake_api: FakeApi, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = start(*command.split(), endpoint=fake_api.endpoint, stdout=full.fileno())
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert said == ["stackctl: cannot write the output: No space left on device"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("closed", "out", "err", "code"),
    [
        (">&-", "", "stackctl: cannot write the output: it is closed\n", 1),
        ("2>&-", "alone", "", 0),
    ],
)
def test_a_stream_that_the_caller_closed_is_no_fault_of_the_program(
    closed: str, out: str, err: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {alone: {image: x}}")
    script = f'"$0" -c "from stackctl.cli.main import run; run()" config --services {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == (out, err, code)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90.0), ("1.5", 1.5), ("15s", 15.0), ("1m30s", 90.0)]
)
def test_a_timeout_is_seconds_or_a_duration(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "15x", "-1", "nan", "inf", "m"])
def test_a_timeout_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(InputError, match="not a duration"):
        parse_duration(written)


def test_main_returns_what_the_command_returns(environment: dict[str, str]) -> None:
    assert main.main(["stack", "services", "nobody"], environment) == 0
