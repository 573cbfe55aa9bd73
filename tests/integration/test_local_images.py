"""build, pull and push against a real engine and a registry that wants credentials."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.cli.main import main
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import parse_endpoint
from stackctl.local.failures import EngineRefusal
from tests.command_line import Done
from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.registries import docker_config, helper_config, running_registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

PORT = 5971
REGISTRY = f"127.0.0.1:{PORT}"
DOCKERFILE = f"""FROM {BUSYBOX_IMAGE} AS base
ARG A=none
RUN echo $A >/a
FROM base AS final
COPY . /files
FROM base
RUN false
"""
FILE = f"""
name: built
services:
  web:
    image: {REGISTRY}/built/web:1
    build:
      context: context
      target: final
      args: {{A: from-file}}
      labels: {{made.by: tests}}
      tags: [built/second:1]
      cache_from: [{BUSYBOX_IMAGE}]
      network: none
      shm_size: 64m
      extra_hosts: ["other:192.0.2.1"]
      ulimits: {{nofile: 1000}}
    depends_on: [plain]
  plain:
    build:
      context: context
      dockerfile: ../Other.Dockerfile
  inline:
    build:
      context: context
      dockerfile_inline: |
        FROM {BUSYBOX_IMAGE}
        RUN echo what it says; false
  fetched:
    image: {REGISTRY}/built/web:1
    profiles: [later]
"""

FILE_WITHOUT_TAG = FILE.replace("      tags: [built/second:1]\n", "")

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def registry(engine: EngineForTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(engine, tmp_path_factory.mktemp("registry"), PORT) as name:
        yield name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "context" / "below").mkdir(parents=True)
    (tmp_path / "context" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "context" / ".dockerignore").write_text("*.log\nbelow\n!below/kept\n")
    for name in ("kept", "other"):
        (tmp_path / "context" / "below" / name).write_text(name)
    (tmp_path / "context" / "x.log").write_text("")
    (tmp_path / "Other.Dockerfile").write_text(f"FROM {BUSYBOX_IMAGE}\n")
    (tmp_path / "compose.yaml").write_text(FILE)
    return tmp_path


@pytest.fixture
def helpers_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder / 'docker'}:/usr/bin:/bin")


@pytest.fixture
def run(engine: EngineForTests, folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    environment = {
        "DOCKER_HOST": engine.url,
        "COMPOSE_FILE": str(folder / "compose.yaml"),
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder / "docker"),
        "COLUMNS": "200",
    }

    def call(*words: str, **variables: str) -> Done:
        capfd.readouterr()
        code = main(list(words), {**environment, **variables})
        written = capfd.readouterr()
        return Done(code, written.out, written.err)

    return call


def image(engine: EngineForTests, name: str) -> dict[str, object] | None:
    try:
        found = Engine(parse_endpoint(engine.url)).get(f"/images/{name}/json")
    except EngineRefusal:
        return None
    assert isinstance(found, dict)
    return found


def remove_image(engine: EngineForTests, name: str) -> None:
    try:
        Engine(parse_endpoint(engine.url)).delete(f"/images/{name}", {"force": True})
    except EngineRefusal as refusal:
        if not refusal.is_not_found:
            raise


def test_a_build_has_target_arguments_labels_tags_and_what_is_not_ignored(
    run: Run, engine: EngineForTests
) -> None:
    done = run("build", "--build-arg", "A=from-flag", "-m", "512m", "--no-cache", "web")
    assert done.code == 0, done.err
    assert "Step 1/" in done.err
    found = image(engine, "built/second:1")
    assert found is not None
    assert found["Config"]["Labels"] == {"made.by": "tests"}  # type: ignore[index]  # JSON
    assert found["Id"] == (image(engine, f"{REGISTRY}/built/web:1") or {})["Id"]
    seen = run("run", "--rm", "-q", "--no-deps", "web", "sh", "-c", "cat /a; cd /files; find .")
    assert sorted(seen.out.split()) == [
        ".",
        "./.dockerignore",
        "./Dockerfile",
        "./below",
        "./below/kept",
        "from-flag",
    ]
    assert run("down", "-v").code == 0


def test_dependencies_are_built_when_asked_for_and_quietly(
    run: Run, engine: EngineForTests
) -> None:
    remove_image(engine, "built-plain")
    assert run("build", "--quiet", "web") == Done(0, "", "")
    assert image(engine, "built-plain") is None
    done = run("build", "--with-dependencies", "web")
    assert (done.code, "plain | " in done.err) == (0, True)
    assert image(engine, "built-plain") is not None


def test_a_failing_step_is_shown_with_its_output(run: Run) -> None:
    done = run("build", "-q", "inline")
    assert done.code == 1
    assert (
        "cannot build service inline: [2/2] RUN echo what it says; false: exit code 1" in done.err
    )
    assert "\n  what it says\n" in done.err
    done = run("build", "-q", "inline", DOCKER_BUILDKIT="0")
    assert done.code == 1
    assert "cannot build service inline: The command" in done.err
    assert "what it says" in done.err


def test_a_missing_context_is_named(run: Run, folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {web: {build: ./nowhere}}")
    done = run("build")
    assert done.code == 2
    assert f"its context {folder}/nowhere does not exist" in done.err


def test_what_a_builder_cannot_do_is_refused_by_key(run: Run, folder: Path) -> None:
    (folder / "compose.yaml").write_text(
        "services:\n  web:\n    build:\n      context: context\n      secrets: [s]\n"
        "      privileged: true\n      ssh: [default]\nsecrets: {s: {file: ./s}}\n"
    )
    (folder / "s").write_text("")
    done = run("build")
    assert done.code == 2
    assert "services.web.build.privileged: " in done.err
    assert "services.web.build.secrets: " not in done.err
    done = run("build", DOCKER_BUILDKIT="0")
    assert done.code == 2
    for key in ("secrets", "ssh", "privileged"):
        assert f"services.web.build.{key}: " in done.err


def test_without_builds_there_is_nothing_to_do(run: Run) -> None:
    assert run("build", "fetched").err == "nothing to build: no service has build:\n"
    assert "nothing to push" in run("push", "fetched").err


@pytest.mark.parametrize("configure", [docker_config, helper_config])
@pytest.mark.usefixtures("helpers_on_path")
def test_images_are_pushed_and_pulled_with_the_credentials_of_docker_login(
    run: Run,
    engine: EngineForTests,
    folder: Path,
    registry: str,
    configure: Callable[[Path, str], None],
) -> None:
    configure(folder / "docker", registry)
    (folder / "compose.yaml").write_text(FILE_WITHOUT_TAG)
    done = run("build", "--push", "web")
    assert done.code == 0, done.err
    assert f" Image {registry}/built/web:1  Pushed" in done.err.splitlines()
    assert run("push", "-q", "--include-deps", "web") == Done(0, "", "")
    remove_image(engine, f"{registry}/built/web:1")
    done = run("pull", "fetched")
    assert (done.code, f" Image {registry}/built/web:1  Pulled" in done.err) == (0, True)
    assert run("pull", "-q", "--policy", "missing", "--include-deps", "fetched").err == ""


def test_a_registry_that_refuses_is_told_with_the_next_command(
    run: Run, engine: EngineForTests, folder: Path, registry: str
) -> None:
    (folder / "compose.yaml").write_text(FILE_WITHOUT_TAG)
    assert run("build", "-q", "web").code == 0
    done = run("push", "web")
    assert done.code == 1
    assert "docker login" in done.err
    assert run("push", "--ignore-push-failures", "web").code == 0
    remove_image(engine, f"{registry}/built/web:1")
    done = run("pull", "fetched")
    assert (done.code, f"cannot pull {registry}/built/web:1" in done.err) == (1, True)
    assert run("pull", "--ignore-pull-failures", "fetched").code == 0
    done = run("pull", "web")
    assert (done.code, "Warning" in done.err) == (0, True), "it can be built"
    assert run("pull", "--ignore-buildable", "web") == Done(0, "", "")


def test_base_images_are_pulled_when_asked_for(run: Run, registry: str) -> None:
    done = run("build", "--pull", "-q", "plain")
    assert done.code == 1, "there is no registry that has busybox of the tests"
    assert "cannot build service plain" in done.err
