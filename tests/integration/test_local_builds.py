"""Images built on a real engine: the same by both builders, and what BuildKit alone does."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from stackctl.local.failures import EngineRefusal
from tests.command_line import Done
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line
from tests.registries import docker_config, running_registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

PORT = 5973
CLASSIC, BUILDKIT = "0", "1"
SECRET = "a-word-that-nobody-else-says"


@pytest.fixture
def built(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "builds") as command_line:
        yield command_line
        for image in command_line.engine.get("/images/json"):
            for tag in image["RepoTags"] or ():
                if tag.startswith(("builds-", "builds/")):
                    command_line.engine.delete(f"/images/{tag}", {"force": True})


@pytest.fixture(params=[CLASSIC, BUILDKIT], ids=["classic", "buildkit"])
def builder(request: pytest.FixtureRequest, built: LocalCommandLine) -> str:
    """The builder that every command of the test is told to take."""
    built.environment["DOCKER_BUILDKIT"] = request.param
    return str(request.param)


def image(built: LocalCommandLine, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = built.engine.get(f"/images/{name}/json")
    except EngineRefusal:
        return None
    return found


def image_id(built: LocalCommandLine) -> str:
    return str((image(built, "builds-web") or {}).get("Id", ""))


def write_service(built: LocalCommandLine, dockerfile: str, build: str = "") -> None:
    built.write(f"services:\n  web:\n    build:\n      context: app\n{build}")
    built.write(dockerfile, file="app/Dockerfile")


def print_files(built: LocalCommandLine, command: str) -> str:
    return built.succeeds("run", "--rm", "-q", "--no-deps", "web", "sh", "-c", command).out


# Both builders.


def test_an_image_is_what_its_keys_say(built: LocalCommandLine, builder: str) -> None:
    write_service(
        built,
        f"FROM {BUSYBOX_IMAGE} AS made\nARG WORD\nARG OTHER=usual\n"
        f"RUN echo {builder} $WORD $OTHER >/words; cat /etc/hosts >/hosts\n"
        "RUN ls /sys/class/net >/net\n"
        f"FROM {BUSYBOX_IMAGE} AS final\nCOPY --from=made /words /hosts /net /\nCOPY . /files\n"
        "FROM final\nRUN false\n",
        "      args: {WORD: said}\n      target: final\n      labels: {made.by: tests}\n"
        "      tags: [builds/second:1]\n      network: none\n"
        '      extra_hosts: ["other:192.0.2.1"]\n      platforms: [linux/amd64]\n'
        f"      cache_from: [{BUSYBOX_IMAGE}]\n",
    )
    built.write("*.log\nbelow\n!below/kept\n", file="app/.dockerignore")
    for name in ("x.log", "below/kept", "below/left"):
        built.write("", file=f"app/{name}")
    built.succeeds("build")
    found = image(built, "builds-web")
    assert found is not None
    assert found["Config"]["Labels"] == {"made.by": "tests"}
    assert (image(built, "builds/second:1") or {})["Id"] == found["Id"]
    assert print_files(built, "cat /words /net") == f"{builder} said usual\nlo\n"
    assert re.search(r"^192\.0\.2\.1\s+other$", print_files(built, "cat /hosts"), re.MULTILINE)
    assert sorted(print_files(built, "cd /files; find . -type f").split()) == [
        "./.dockerignore",
        "./Dockerfile",
        "./below/kept",
    ]


@pytest.mark.usefixtures("builder")
def test_a_dockerfile_may_be_in_the_file_or_outside_of_the_context(
    built: LocalCommandLine,
) -> None:
    inline = f"        FROM {BUSYBOX_IMAGE}\n        COPY there /there\n"
    write_service(built, "RUN nothing of this\n", f"      dockerfile_inline: |\n{inline}")
    built.write("it is", file="app/there")
    built.succeeds("build", "-q")
    assert print_files(built, "cat /there") == "it is"
    write_service(built, "RUN nothing of this\n", "      dockerfile: ../Other\n")
    built.write(f"FROM {BUSYBOX_IMAGE}\nCOPY there /elsewhere\n", file="Other")
    built.succeeds("build", "-q")
    assert print_files(built, "cat /elsewhere") == "it is"


@pytest.mark.usefixtures("builder")
def test_a_dockerfile_from_elsewhere_is_not_among_the_files_that_are_copied(
    built: LocalCommandLine,
) -> None:
    inline = f"        FROM {BUSYBOX_IMAGE}\n        COPY . /all\n"
    write_service(built, "", f"      dockerfile_inline: |\n{inline}")
    (built.folder / "app" / "Dockerfile").unlink()
    big = "x" * 9_000_000
    built.write(big, file="app/below/big")
    built.write("", file="app/below/empty")
    (built.folder / "app" / "link").symlink_to("below/big")
    listed = ["./below/big", "./below/empty", "./link"]
    built.succeeds("build", "-q")
    assert sorted(print_files(built, "cd /all; find . ! -type d").split()) == listed
    assert print_files(built, "wc -c </all/link").strip() == str(len(big))
    built.write("big\n**/big\n", file="app/.dockerignore")
    built.succeeds("build", "-q")
    listed = ["./.dockerignore", "./below/empty", "./link"]
    assert sorted(print_files(built, "cd /all; find . ! -type d").split()) == listed


@pytest.mark.usefixtures("builder")
def test_a_file_that_changes_within_a_second_is_sent_again(built: LocalCommandLine) -> None:
    inline = f"        FROM {BUSYBOX_IMAGE}\n        COPY there /there\n"
    write_service(built, "", f"      dockerfile_inline: |\n{inline}")
    for count, text in enumerate(("one", "two")):
        built.write(text, file="app/there")
        os.utime(built.folder / "app" / "there", ns=(0, 10**18 + count))
        built.succeeds("build", "-q")
        assert print_files(built, "cat /there") == text


def test_what_did_not_change_comes_from_the_cache(built: LocalCommandLine, builder: str) -> None:
    write_service(
        built, f"FROM {BUSYBOX_IMAGE}\nCOPY x /x\nRUN cat /x; date +%s%N >/made-{builder}\n"
    )
    built.write("one", file="app/x")
    assert cached(built.succeeds("build", "--no-cache")) == 0
    first = image_id(built)
    assert cached(built.succeeds("build")) == 2
    assert image_id(built) == first
    built.write("two", file="app/x")
    assert cached(built.succeeds("build")) == 0
    assert image_id(built) not in ("", first)


def cached(done: Done) -> int:
    """How many steps after FROM were not run again."""
    if "Step " in done.err:
        return done.err.count("---> Using cache")
    numbers = re.findall(r"^#(\d+) \[[23]/3\]", done.err, re.MULTILINE)
    return sum(f"#{number} CACHED" in done.err for number in numbers)


@pytest.mark.usefixtures("builder")
def test_a_failing_step_is_told_once_with_what_it_printed(built: LocalCommandLine) -> None:
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN echo before; echo beside >&2; exit 3\n")
    done = built("build", "-q")
    first, *rest = done.err.splitlines()
    assert (done.code, done.out) == (1, "")
    assert first.startswith("stackctl: cannot build service web: ")
    assert "echo before; echo beside >&2; exit 3" in first
    assert re.search(r"code:? 3$", first)
    assert {"  before", "  beside"} <= set(rest)
    assert image(built, "builds-web") is None


@pytest.mark.usefixtures("builder")
def test_a_full_disk_in_a_step_says_what_makes_room(built: LocalCommandLine) -> None:
    fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=80"
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN {fill}\n")
    done = built("build", "-q")
    assert done.code == 1
    assert "No space left on device" in done.err
    assert "docker system prune" in done.err


@pytest.mark.usefixtures("builder")
@pytest.mark.parametrize("dockerfile", ["FORM x\n", "", "FROM " + BUSYBOX_IMAGE + "\nCOPY no /\n"])
def test_a_wrong_dockerfile_is_one_message(built: LocalCommandLine, dockerfile: str) -> None:
    write_service(built, dockerfile)
    done = built("build", "-q")
    assert done.code == 1
    assert done.err.startswith("stackctl: cannot build service web: ")
    assert "rpc error" not in done.err
    assert image(built, "builds-web") is None


@pytest.mark.usefixtures("builder")
def test_an_interrupted_build_leaves_nothing_that_runs(
    built: LocalCommandLine, engine: EngineForTests
) -> None:
    seconds = f"{os.getpid()}4711"
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN echo begun; sleep {seconds}\n")
    with built.running("build") as process:
        eventually(lambda: sleeping(seconds), timeout_seconds=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
    eventually(lambda: not sleeping(seconds), timeout_seconds=15)
    assert image(built, "builds-web") is None
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN echo fine\n")
    built.succeeds("build", "-q")
    eventually(lambda: not built.engine.get("/containers/json"), timeout_seconds=15)


def sleeping(seconds: str) -> bool:
    """Whether a step of this test runs, on whatever engine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", seconds.encode()]:
            return True
    return False


@pytest.mark.usefixtures("builder")
def test_base_images_come_with_the_credentials_of_docker_login(
    built: LocalCommandLine, engine: EngineForTests, tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    built.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    with running_registry(engine, tmp_path / "registry", PORT) as registry:
        name = f"{registry}/builds/base:1"
        docker_config(tmp_path / "docker", registry)
        write_service(
            built, f"FROM {BUSYBOX_IMAGE}\nRUN echo fetched >/base\n", f"    image: {name}"
        )
        built.succeeds("build", "--push")
        built.engine.delete(f"/images/{name}", {"force": True})
        write_service(built, f"FROM {name}\n")
        built.succeeds("build", "--pull")
        assert print_files(built, "cat /base") == "fetched\n"
        shutil.rmtree(tmp_path / "docker")
        done = built("build", "--pull", "-q")
        assert done.code == 1
        assert "docker login" in done.err
        with suppress(EngineRefusal):  # BuildKit keeps what it fetched in its cache alone
            built.engine.delete(f"/images/{name}", {"force": True})


@pytest.mark.usefixtures("builder")
def test_up_shows_what_the_builder_says_unless_it_is_to_be_quiet(
    built: LocalCommandLine, builder: str
) -> None:
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN echo said by {builder}\n")
    built.write((built.folder / "compose.yaml").read_text() + "    command: sleep 600\n")
    said = f"said by {builder}"
    assert said in built.succeeds("up", "-d", "-t", "0").err
    assert said in built.succeeds("up", "-d", "--build", "-t", "0").err
    quiet = built.succeeds("up", "-d", "--build", "--quiet-build", "-t", "0")
    assert said not in quiet.err
    told = built.succeeds("--progress", "json", "up", "-d", "--build", "-t", "0")
    assert '"details": "' in told.err


# BuildKit alone.


def test_secrets_are_there_while_a_step_runs_and_nowhere_later(built: LocalCommandLine) -> None:
    write_service(
        built,
        f"FROM {BUSYBOX_IMAGE}\n"
        "RUN --mount=type=secret,id=file --mount=type=secret,id=token,dst=/t,mode=0400 "
        "wc -c </run/secrets/file >/seen; wc -c </t >>/seen; ls -l /t | cut -c1-10 >>/seen\n",
        "      secrets:\n        - file\n        - {source: variable, target: token, mode: 0400}\n"
        "secrets: {file: {file: ./secret}, variable: {environment: WORD}}\n",
    )
    built.write(SECRET, file="secret")
    built.environment["WORD"] = SECRET[::-1]
    done = built.succeeds("build", "--no-cache")
    assert "warning: the owner and mode of secret variable" in done.err
    size = len(SECRET)
    assert print_files(built, "cat /seen; ls /run/secrets").split() == [
        str(size),
        str(size),
        "-r--------",
    ]
    saved = built.engine.stream("GET", "/images/builds-web/get").read()
    everything = saved + str(image(built, "builds-web")).encode()
    assert SECRET.encode() not in everything
    assert SECRET[::-1].encode() not in everything


def test_a_secret_that_the_file_does_not_lend_is_named(built: LocalCommandLine) -> None:
    mount = "--mount=type=secret,id=other,required"
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN {mount} cat /run/secrets/other\n")
    done = built("build", "-q")
    assert done.code == 1
    assert "secret other not found" in done.err


@contextmanager
def ssh_agent(folder: Path) -> Iterator[Mapping[str, str]]:
    """A real agent with one key; its variables."""
    key, path = folder / "key", folder / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists, timeout_seconds=5)
        variables = {"SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, **variables})
        yield variables
    finally:
        agent.terminate()
        agent.wait(10)


def copy_program(name: str, folder: Path) -> None:
    """A program of this machine with its libraries, as files below a folder."""
    program = shutil.which(name)
    assert program is not None
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    for path in (program, *re.findall(r"(/\S+) \(0x", listed)):
        target = folder / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def test_a_build_may_use_the_keys_of_an_agent_and_not_change_them(
    built: LocalCommandLine, tmp_path: Path
) -> None:
    write_service(
        built,
        f"FROM {BUSYBOX_IMAGE}\nCOPY root /\n"
        "ENV PATH=/bin:/usr/bin\n"
        "RUN --mount=type=ssh ssh-add -l; ssh-add -D; ssh-add -l >/keys; test -s /keys\n",
        "      ssh: [default]\n",
    )
    copy_program("ssh-add", tmp_path / "app" / "root")
    with ssh_agent(tmp_path) as variables:
        built.environment.update(variables)
        built.environment["PATH"] += ":/usr/bin"
        done = built.succeeds("build", "--no-cache")
        listed = subprocess.run(
            ["ssh-add", "-l"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
        ).stdout
    assert "ED25519" in listed
    assert done.err.count("ED25519") >= 1
    assert print_files(built, "cat /keys") == listed


def test_without_an_agent_a_build_that_wants_one_does_not_begin(built: LocalCommandLine) -> None:
    write_service(built, f"FROM {BUSYBOX_IMAGE}\n", "      ssh: [default]\n")
    done = built("build")
    assert done.code == 2
    assert "SSH_AUTH_SOCK names none" in done.err


def test_cache_goes_into_the_image_when_the_file_says_so(built: LocalCommandLine) -> None:
    write_service(built, f"FROM {BUSYBOX_IMAGE}\nRUN true\n", "      cache_to: [type=inline]\n")
    built.succeeds("build", "--no-cache")
    saved = built.engine.stream("GET", "/images/builds-web/get").read()
    assert b"moby.buildkit.cache.v0" in saved


def test_the_classic_builder_does_what_this_buildkit_would_drop(built: LocalCommandLine) -> None:
    write_service(
        built,
        f"FROM {BUSYBOX_IMAGE}\nRUN ulimit -n >/seen; df /dev/shm | tail -1 >>/seen\n",
        "      shm_size: 32m\n      ulimits: {nofile: 1234}\n",
    )
    if built.engine.api_version < (1, 42):
        done = built.succeeds("build", "--no-cache")
        assert (
            "the classic builder builds: the engine's BuildKit does not know shm_size" in done.err
        )
        done = built("build", environment={"DOCKER_BUILDKIT": BUILDKIT})
        assert done.code == 2
        assert "services.web.build.shm_size: " in done.err
    else:
        built.succeeds("build", "--no-cache")
    limit, _, size, *_ = print_files(built, "cat /seen").split()
    assert (limit, size) == ("1234", "32768")


def test_a_variable_that_names_no_builder_is_refused(built: LocalCommandLine) -> None:
    write_service(built, f"FROM {BUSYBOX_IMAGE}\n")
    done = built("build", environment={"DOCKER_BUILDKIT": "perhaps"})
    assert (done.code, "DOCKER_BUILDKIT is 'perhaps'" in done.err) == (2, True)
