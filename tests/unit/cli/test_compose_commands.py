"""`config`, `lint`, and what `deploy` takes beside files: what they print, and their exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stackctl.cli.render.verdicts import VerdictRow, render_verdicts
from tests.command_line import Run
from tests.fakes.api_cluster import FakeCluster

COMPOSE = """\
name: shop
services:
  web:
    image: ${REGISTRY:-web}:1
    build: .
    profiles: [front]
    environment: {PRICE: 5$$, TOKEN: }
    configs: [page]
  db:
    image: db:1
    external_links: [outside]
configs: {page: {content: "${GREETING-hello}"}}
"""
MORE = "services: {db: {image: !override 'db:2', deploy: {replicas: 3}}}\n"
GOOD = "services: {web: {image: 'web:1', stop_grace_period: 90s}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files, where the command runs."""
    folder = tmp_path / "stack"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "more.yaml").write_text(MORE)
    (folder / "good.yaml").write_text(GOOD)
    (folder / "own.env").write_text("GREETING=good day\n")
    return folder


def test_config_prints_the_canonical_form_of_all_files_together(run: Run, folder: Path) -> None:
    files = ("-c", "compose.yaml", "-c", "more.yaml")
    done = run("config", *files, "--profile", "front", "--env-file", "own.env")
    assert done.code == 0
    assert done.out == (
        "name: shop\n"
        "services:\n"
        "  web:\n"
        "    build:\n"
        f"      context: {folder}\n"
        "    configs:\n"
        "      - source: page\n"
        "        target: /page\n"
        "    environment:\n"
        "      PRICE: 5$$\n"
        "    image: web:1\n"
        "    networks:\n"
        "      default: null\n"
        "    profiles:\n"
        "      - front\n"
        "  db:\n"
        "    deploy:\n"
        "      replicas: 3\n"
        "    external_links:\n"
        "      - outside:outside\n"
        "    image: db:2\n"
        "    networks:\n"
        "      default: null\n"
        "configs:\n"
        "  page:\n"
        "    content: good day\n"
        "    name: shop_page\n"
    )


def test_what_config_prints_is_a_file_that_says_the_same(run: Run, folder: Path) -> None:
    once = run("config", "--profile", "*", "-o", "printed.yaml")
    again = run("config", "--profile", "*", "-c", "printed.yaml")
    assert (once.code, again.code) == (0, 0)
    assert again.out == (folder / "printed.yaml").read_text()


def test_config_as_json_has_the_same_content(run: Run) -> None:
    found = json.loads(run("config", "--format", "json").out)
    assert found["services"]["db"]["image"] == "db:1"
    assert list(found) == ["name", "services", "configs"]


def test_the_name_of_the_stack_can_be_given(run: Run) -> None:
    done = run("config", "-p", "other")
    assert done.out.startswith("name: other\n")
    assert "name: other_page" in done.out


@pytest.mark.parametrize("flag", ["--no-interpolate", "--no-normalize", "--no-env-resolution"])
def test_merged_files_can_be_printed_as_they_are_written(run: Run, flag: str) -> None:
    done = run("config", flag, "--profile", "front")
    assert done.code == 0
    assert ("${REGISTRY:-web}:1" in done.out) == (flag == "--no-interpolate")
    assert '    build: "."\n' in done.out
    assert "PRICE: 5$$\n" in done.out


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("--services", "db\n"),
        ("--services --profile front", "web\ndb\n"),
        ("--images --profile front", "db:1\nweb:1\n"),
        ("--volumes", ""),
        ("--profiles", "front\n"),
        ("--environment --env-file own.env", "GREETING=good day\n"),
        ("--quiet", ""),
    ],
)
def test_config_lists_what_is_asked_for(run: Run, words: str, printed: str) -> None:
    done = run("config", *words.split())
    assert (done.code, done.out) == (0, printed)


def test_config_lists_variables_though_the_files_are_wrong(run: Run, folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {a: {image: 'x:${A:?is needed}', user: $B}}")
    done = run("config", "--variables")
    assert done.code == 2
    assert [line.split() for line in done.out.splitlines()] == [
        ["NAME", "VALUE"],
        ["A", "(not", "set)"],
        ["B", "(not", "set)"],
    ]


def test_a_hash_is_printed_for_one_service_or_for_all(run: Run) -> None:
    one = run("config", "--hash", "db").out
    every = run("config", "--hash", "*", "--profile", "front").out
    assert one in every
    assert [line.split()[0] for line in every.splitlines()] == ["db", "web"]
    unknown = run("config", "--hash", "dbb")
    assert unknown.code == 2
    assert "did you mean db?" in unknown.err


@pytest.mark.parametrize(
    "words", ["--services --images", "--no-interpolate --hash db", "-o /nowhere/at/all.yaml"]
)
def test_flags_that_cannot_be_followed_are_refused(run: Run, words: str) -> None:
    done = run("config", *words.split())
    assert (done.code, done.out) == (2, "")


def test_a_list_of_lines_is_no_json(run: Run) -> None:
    done = run("config", "--services", "--format", "json")
    assert (done.code, done.out) == (2, "")
    assert "--services prints lines" in done.err


def test_config_says_nothing_of_profiles_that_are_off(run: Run, folder: Path) -> None:
    (folder / "compose.yaml").write_text(
        "services: {a: {image: x, deploy: {}}, b: {image: x, profiles: [more]}}\n"
        "secrets: {s: {content: x}}\n"
    )
    assert run("config", "-q") == (0, "", "")
    assert "profile" not in run("config").err
    note = "note: no service has the profile mor; did you mean more?"
    assert note in run("config", "--profile", "mor").err


@pytest.mark.parametrize("flag", ["--format=yaml", "--no-normalize", "--no-interpolate"])
def test_config_prints_services_with_what_they_need(run: Run, folder: Path, flag: str) -> None:
    (folder / "compose.yaml").write_text("""
services:
  web: {image: web, depends_on: [db], networks: [front]}
  db: {image: db, volumes: ["rows:/rows"], networks: [front]}
  other: {image: other, env_file: gone.env, networks: [back], profiles: [more]}
networks: {front: , back: }
volumes: {rows: , cache: }
""")
    done = run("config", flag, "web")
    assert done.code == 0, done.err
    found = yaml.safe_load(done.out)
    assert set(found["services"]) == {"web", "db"}
    assert (set(found["networks"]), set(found["volumes"])) == ({"front"}, {"rows"})
    assert run("config", "--services", "db").out == "db\n"
    assert run("config", "web", "nobody").code == 2
    assert "gone.env" in run("config", "other").err


def test_config_tells_every_problem_with_its_place(run: Run, folder: Path) -> None:
    (folder / "compose.yaml").write_text("services:\n  web:\n    imagge: x\n    tty: perhaps\n")
    done = run("config", "-q")
    assert done.code == 2
    assert done.err.splitlines() == [
        (
            "compose.yaml:2:3: services.web: no image is given; "
            "add image: with a name that can be pulled"
        ),
        "compose.yaml:3:5: services.web.imagge: unknown key; did you mean image?",
        "compose.yaml:4:10: services.web.tty: must be true or false, not text (perhaps)",
        "stackctl: 3 problems in the Compose file",
    ]


def test_lint_shows_what_is_not_plainly_honoured_and_ends_with_2_when_something_is_refused(
    run: Run,
) -> None:
    done = run("lint", "--profile", "front")
    assert done.code == 2
    header, *rows = [line.split("   ")[0] for line in done.out.splitlines()]
    assert header == "KEY"
    assert "services.db.external_links" in rows
    assert "services.web.build" in rows
    assert "services.web.image" not in rows
    assert done.err.splitlines()[-1] == "stackctl: 1 problem in the Compose file"


def test_lint_shows_every_key_when_asked_to(run: Run) -> None:
    done = run("lint", "--all", "-c", "good.yaml")
    assert done.code == 0
    assert "services.web.stop_grace_period   good.yaml:1:34   honoured\n" in done.out
    assert done.err == ""


def test_lint_judges_for_one_host_too(run: Run) -> None:
    assert run("lint", "--target", "local").code == 0


def test_lint_says_what_only_the_schema_refuses_or_only_a_reader(run: Run, folder: Path) -> None:
    (folder / "good.yaml").write_text("services: {web: {image: A, ports: ['80:x'], inti: 1}}")
    done = run("lint", "-c", "good.yaml")
    assert done.code == 2
    lines = done.err.splitlines()
    assert sum("ports[0]" in line for line in lines) == 1
    assert sum("services.web.inti" in line for line in lines) == 1


def test_lint_as_json_has_everything_in_one_object(run: Run, folder: Path) -> None:
    (folder / "good.yaml").write_text(
        "services:\n  web:\n    image: x\n    external_links: [y]\n    imit: 1\n"
    )
    done = run("lint", "--format", "json", "-c", "good.yaml")
    assert done.code == 2
    found = json.loads(done.out)
    assert found["target"] == "cluster"
    (refused,) = [each for each in found["verdicts"] if each["verdict"] == "refused"]
    assert (refused["key"], refused["line"], refused["column"]) == (
        "services.web.external_links",
        4,
        5,
    )
    assert refused["fix"]
    assert [each["key"] for each in found["problems"]] == ["services.web.imit"]


LONG = VerdictRow("services.web.ports[0]", "compose.yaml:4:5", "refused", "a reason " * 12)


@pytest.mark.parametrize("width", [80, 120])
def test_a_reason_without_room_goes_below_its_key(width: int) -> None:
    lines = render_verdicts([LONG], width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[1].split() == ["services.web.ports[0]", "compose.yaml:4:5", "refused"]
    assert " ".join(" ".join(lines[2:]).split()) == LONG.text.strip()


@pytest.mark.parametrize("width", [None, 300])
def test_with_room_or_without_a_terminal_a_line_is_a_key(width: int | None) -> None:
    assert len(render_verdicts([LONG, LONG], width=width).splitlines()) == 3


def test_deploy_refuses_what_a_cluster_cannot_do(run: Run, cluster: FakeCluster) -> None:
    done = run("deploy", "--detach", "shop")
    assert done.code == 2
    assert done.err.startswith(
        "compose.yaml:11:5: services.db.external_links: cannot be honoured in a cluster: "
    )
    assert not cluster.services


def test_a_lenient_deploy_says_what_it_leaves_out(run: Run, cluster: FakeCluster) -> None:
    files = ("-c", "compose.yaml", "-c", "more.yaml", "--profile", "front")
    done = run("deploy", "--detach", "--lenient", *files, "shop")
    assert done.code == 0, done.err
    assert "note: compose.yaml:11:5: services.db.external_links: ignored, as it cannot" in done.err
    assert list(cluster.services) == ["shop_web", "shop_db"]


@pytest.mark.parametrize(
    ("words", "may_import"),
    [("config -q -c good.yaml", set()), ("lint -c good.yaml", {"jsonschema"})],
)
def test_only_lint_imports_the_schema_and_nothing_an_engine(
    folder: Path, words: str, may_import: set[str]
) -> None:
    heavy = {"docker", "jsonschema", "requests", "aiohttp", "paramiko", "pysyncobj", "rich"}
    code = (
        "import sys; from stackctl.cli.main import main; main(sys.argv[1:], {}); "
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & heavy == may_import


@pytest.mark.parametrize("verb", ["config -q", "lint", "plan shop", "deploy shop"])
def test_files_may_be_named_before_the_verb_as_in_compose(
    run: Run, folder: Path, verb: str
) -> None:
    """They were ignored there, and the file of the folder was read instead."""
    (folder / "wrong.yaml").write_text("services: {web: {image: a, port: 80}}\n")
    done = run("-f", "wrong.yaml", *verb.split())
    assert done.code == 2
    assert "wrong.yaml:1:28: services.web.port: unknown key" in done.out + done.err


def test_flags_of_both_places_count(run: Run, folder: Path) -> None:
    done = run("--profile", "front", "-p", "other", "config", "--env-file", "own.env")
    assert done.code == 0
    assert done.out.startswith("name: other\nservices:\n  web:\n")
    assert "content: good day" in done.out
    done = run("--env-file", "absent.env", "config")
    assert (done.code, "absent.env" in done.err) == (2, True)
