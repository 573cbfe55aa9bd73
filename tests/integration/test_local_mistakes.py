"""What goes wrong with a stack on one engine: one clear message, the right exit code."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SERVICE = f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], %s}}}}"


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlerr") as command_line:
        yield command_line


def test_a_port_in_use_is_said_with_the_way_to_find_its_owner(
    shop: LocalCommandLine, engine: EngineForTests, tmp_path: Path
) -> None:
    shop.write(SERVICE % "stop_grace_period: 0s, ports: ['7771:80']")
    with local_command_line(engine, tmp_path, "tlowner") as owner:
        owner.succeeds("up", "-d")
        done = shop("up", "-d")
        assert done.code == 1
        assert "service web does not start" in done.err
        assert "port is already allocated" in done.err
        assert "hint: another program has the port" in done.err
    shop.succeeds("up", "-d")


def test_a_failed_dependency_is_named_with_its_last_lines(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    depends_on: {{setup: {{condition: service_completed_successfully}}}}
  setup: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'echo no table; exit 7']}}
""")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-setup-1 ended with exit code 7\nno table" in done.err
    assert shop.containers()["web-1"].state == "created"


def test_an_unhealthy_dependency_is_named(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web: {{image: '{BUSYBOX_IMAGE}', depends_on: {{db: {{condition: service_healthy}}}}}}
  db:
    image: {BUSYBOX_IMAGE}
    command: [sleep, '1000']
    stop_grace_period: 0s
    healthcheck: {{test: [CMD, 'false'], interval: 100ms, retries: 2}}
""")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-db-1 is unhealthy" in done.err
    assert "hint: " in done.err


def test_waiting_ends_with_the_reason(shop: LocalCommandLine) -> None:
    shop.write(
        f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'echo oh; exit 2']}}}}"
    )
    done = shop("up", "--wait")
    assert done.code == 1
    assert "container tlerr-web-1 has ended with exit code 2\noh" in done.err


def test_a_missing_bind_path_that_must_be_there_is_said(shop: LocalCommandLine) -> None:
    mount = "{type: bind, source: ./nothing, target: /x, bind: {create_host_path: false}}"
    shop.write(SERVICE % f"volumes: [{mount}]")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-web-1" in done.err
    assert "nothing" in done.err
    assert shop.containers() == {}


def test_a_program_that_is_not_in_the_image_is_said(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [nowhere]}}}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert "service web does not start" in done.err
    assert "nowhere" in done.err


def test_a_missing_image_that_may_not_be_pulled_is_said(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {image: 'tlerr/none:1', pull_policy: never}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert "tlerr/none:1" in done.err
    assert "hint: stackctl pull" in done.err


def test_a_missing_build_context_is_said_before_anything_is_made(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {build: ./nowhere}}")
    done = shop("up", "-d")
    assert done.code != 0
    assert "nowhere" in done.err
    assert not shop.exists("networks", "tlerr_default")


def test_a_hook_that_fails_fails_the_start(shop: LocalCommandLine) -> None:
    shop.write(SERVICE % "post_start: [{command: [sh, -c, 'echo broken; exit 4']}]")
    done = shop("up", "-d")
    assert done.code == 1
    assert "post_start of tlerr-web-1 ended with exit code 4" in done.err
    assert "broken" in done.err
    shop("kill")


def test_no_engine_and_no_file_have_hints(shop: LocalCommandLine, tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    shop.write(SERVICE % "init: true")
    done = shop("up", "-d", environment=nowhere)
    assert done.code == 1
    assert "no engine answers at" in done.err
    assert "hint: is it running?" in done.err
    (tmp_path / "compose.yaml").unlink()
    assert "hint: name one with -c FILE" in shop("up", "-d").err


def test_something_that_is_no_engine_is_recognised(shop: LocalCommandLine, tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))  # nobody listens: connections are refused
        done = shop("-p", "tlerr", "ps", environment={"DOCKER_HOST": f"unix://{path}"})
    assert done.code == 1
    assert "connection refused" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("up", "--build", "--no-build"), "--build and --no-build exclude each other"),
        (("up", "--force-recreate", "--no-recreate"), "exclude each other"),
        (("up", "--always-recreate-deps", "--no-recreate"), "exclude each other"),
        (("up", "-V", "--no-recreate"), "exclude each other"),
        (("up", "-d", "--attach", "web"), "--attach does not go with --detach"),
        (("up", "--wait", "--abort-on-container-exit"), "does not go with --wait"),
        (("up", "--attach", "web", "--attach-dependencies"), "exclude each other"),
        (("up", "--abort-on-container-exit", "--abort-on-container-failure"), "exclude"),
        (("up", "--scale", "web"), "write SERVICE=NUMBER"),
        (("up", "--scale", "nobody=2"), "no such service: nobody"),
        (("up", "wep"), "did you mean web?"),
        (("up", "--exit-code-from", "nobody"), "no such service: nobody"),
        (("stop", "nobody"), "no such service: nobody"),
        (("start",), "stackctl up -d makes and starts them"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_made(
    shop: LocalCommandLine, words: tuple[str, ...], message: str
) -> None:
    shop.write(SERVICE % "init: true")
    done = shop(*words)
    assert done.code == 2
    assert message in done.err
    assert shop.containers() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SERVICE % "env_file: no.env", "services.web.env_file: cannot read"),
        ("services: {web: {command: x}}", "services.web: no image is given"),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
            "the services wait for each other: a -> b -> a",
        ),
        ("services: {a: {image: x, depends_on: [b]}}", "undefined service 'b'"),
        (SERVICE % "networks: [nope]", "undefined network 'nope'"),
        (SERVICE % "volumes: ['nope:/x']", "undefined volume 'nope'"),
        (SERVICE % "secrets: [nope]", "undefined secret 'nope'"),
        (SERVICE % "secrets: [s]" + "\nsecrets: {s: {file: ./no}}", "secrets.s.file: cannot read"),
        (SERVICE % "security_opt: ['seccomp:./no.json']", "security_opt[0]: cannot read"),
        ("services: {web: [\n", "not valid YAML"),
        (SERVICE % "imagee: x", "unknown key; did you mean image?"),
        (SERVICE % "ports: ['99999:80']", "a port is at most 65535"),
        (SERVICE % "environment: ['A=${A?must be set}']", "must be set"),
        (SERVICE % "volumes: ['v:/v']" + "\nvolumes: {v: {external: true}}", "v is external"),
        (SERVICE % "container_name: one, scale: 2", "2 replicas cannot all be called one"),
        ("services: {web: {build: {context: .}}}", "there is no Dockerfile"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_made(
    shop: LocalCommandLine, text: str, message: str
) -> None:
    shop.write(text)
    done = shop("up", "-d")
    assert (done.code, message in done.err) == (2, True), done.err
    assert done.err.count("stackctl: ") == 1
    assert shop.containers() == {}
    assert not shop.exists("networks", "tlerr_default")


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        ("volumes: ['./compose.yaml:/tmp']", "not a directory", "a file goes onto a file"),
        ("user: nobody-here", "unable to find user", "user: is a name in the image's"),
        ("entrypoint: [nowhere]", "executable file not found", "a program that the image has not"),
        ("entrypoint: [/etc/passwd]", "permission denied", "it is no program"),
        ("devices: ['/dev/nothing']", '"/dev/nothing"', "has no such device"),
        ("runtime: nonsense", "Unknown runtime", "docker info --format '{{.Runtimes}}'"),
        (
            "logging: {driver: nonsense}",
            "logging plugin",
            "docker info --format '{{.Plugins.Log}}'",
        ),
        ("sysctls: {net.nonsense: 1}", "/proc/sys/net/nonsense", "sysctls: has a name"),
        ("gpus: all", "gpu", "the engine knows no GPU"),
        ("platform: linux/riscv64", "does not match the specified platform", "stackctl pull"),
    ],
)
def test_what_the_engine_refuses_has_a_hint(
    shop: LocalCommandLine, keys: str, message: str, hint: str
) -> None:
    command = "" if "entrypoint" in keys else "command: [sleep, '1000'], "
    shop.write(f"services: {{web: {{image: '{BUSYBOX_IMAGE}', {command}{keys}}}}}")
    done = shop("up", "-d")
    assert done.code == 1
    last = done.err.rpartition("stackctl: ")[2]
    assert message in last
    assert f"hint: {hint}" in last or hint in last.partition("hint: ")[2], last
    assert all(not it.is_running for it in shop.containers().values())


@pytest.mark.parametrize(
    ("kind", "use"), [("volumes", "volumes: ['n:/n']"), ("networks", "networks: [n]")]
)
def test_an_unknown_driver_is_said(shop: LocalCommandLine, kind: str, use: str) -> None:
    shop.write(f"{SERVICE % use}\n{kind}: {{n: {{driver: nonsense}}}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert f"{kind[:-1]} tlerr_n: " in done.err
    assert "hint: `docker info --format" in done.err
    assert shop.containers() == {}


def test_an_image_that_nobody_has_is_said_with_its_name(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {image: '127.0.0.1:9/none:1'}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert "cannot pull 127.0.0.1:9/none:1" in done.err
    assert "hint: is the registry up" in done.err
    assert not shop.exists("networks", "tlerr_default")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-f", "none.yaml", "up", "-d"), "cannot read none.yaml: No such file"),
        (("-f", ".", "up", "-d"), "cannot read .: Is a directory"),
        (("-f", "/bin/true", "up", "-d"), "the file is not UTF-8 text"),
        (("--env-file", "none", "up", "-d"), "cannot read none: No such file"),
        (("--project-directory", "none", "up", "-d"), "none is no folder to start from"),
        (("-p", "Bad Name", "up", "-d"), "invalid stack name 'Bad Name'"),
        (("--context", "x", "up", "--nonsense"), "no such option"),
    ],
)
def test_wrong_words_before_the_command_are_refused(
    shop: LocalCommandLine, words: tuple[str, ...], message: str
) -> None:
    shop.write(SERVICE % "init: true")
    done = shop(*words)
    assert (done.code, message in done.err) == (2, True), done.err
    assert shop.containers() == {}


@pytest.mark.parametrize(
    ("environment", "code", "message"),
    [
        ({"DOCKER_HOST": "somewhere"}, 2, "'somewhere' is no address of an engine"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:9"}, 1, "no engine answers at tcp://127.0.0.1:9"),
        ({"DOCKER_HOST": "", "DOCKER_CONTEXT": "nowhere"}, 2, "no such context of docker: nowhere"),
        ({"COMPOSE_PROGRESS": "loud"}, 2, "COMPOSE_PROGRESS is 'loud'"),
        ({"COMPOSE_PARALLEL_LIMIT": "0"}, 2, "COMPOSE_PARALLEL_LIMIT is '0'"),
    ],
)
def test_wrong_variables_are_refused(
    shop: LocalCommandLine, environment: dict[str, str], code: int, message: str
) -> None:
    shop.write(SERVICE % "init: true")
    done = shop("up", "-d", environment=environment)
    assert (done.code, message in done.err) == (code, True), done.err
    assert shop.containers() == {}


def test_an_env_file_or_secret_that_is_gone_keeps_nobody_from_ending_a_stack(
    shop: LocalCommandLine,
) -> None:
    keys = "stop_grace_period: 0s, env_file: web.env, secrets: [word]"
    secrets = "\nsecrets: {word: {environment: WORD}, nobodys: {file: gone.key}}"
    shop.write(SERVICE % keys + secrets)
    shop.write("A=1", file="web.env")
    up = shop("up", "-d", environment={"WORD": "hush"})
    assert up.code == 0, up.err
    (shop.folder / "web.env").unlink()
    # Beside a name that is given, a file that is found and wrong does not count.
    del shop.environment["COMPOSE_PROJECT_NAME"]
    shop.write("name: tlerr\n" + SERVICE % keys + secrets)
    for words in (["ps"], ["logs"], ["restart"], ["stop"], ["start"], ["kill"], ["rm", "-f"]):
        shop.succeeds(*words)
    assert "web.env" in shop("up", "-d").err
    shop.succeeds("down")
