"""Profiles: who is on, who leaves, and who may depend on whom."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.compose.tree_folder import TreeFolder

STACK = """\
services:
  web: {image: a}
  db: {image: b, profiles: [data, all]}
  debug: {image: c, profiles: [debug]}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    monkeypatch.chdir(tmp_path)
    return TreeFolder(tmp_path)


def names(files: TreeFolder, *paths: str) -> list[str]:
    services = files.at(["services"], *(paths or ("a.yml",)))
    assert isinstance(services, dict)
    return list(services)


@pytest.mark.parametrize(
    ("profiles", "variable", "on"),
    [
        ([], None, ["web"]),
        (["data"], None, ["web", "db"]),
        (["all", "debug"], None, ["web", "db", "debug"]),
        (["*"], None, ["web", "db", "debug"]),
        (["other"], None, ["web"]),
        ([], "debug", ["web", "debug"]),
        ([], " data , debug ,", ["web", "db", "debug"]),
        ([], "*", ["web", "db", "debug"]),
        ([], "", ["web"]),
        (["data"], "debug", ["web", "db"]),
    ],
)
def test_services_are_on_with_one_of_their_profiles(
    files: TreeFolder, profiles: Sequence[str], variable: str | None, on: list[str]
) -> None:
    environment = {} if variable is None else {"COMPOSE_PROFILES": variable}
    files.request = files.request._replace(profiles=profiles, environment=environment)
    files.write(a_yml=STACK)
    assert names(files) == on


def test_the_setting_may_stand_in_dotenv(files: TreeFolder) -> None:
    files.write(a_yml=STACK)
    files.write_at(".env", "COMPOSE_PROFILES=debug")
    assert names(files) == ["web", "debug"]


def test_what_is_off_is_told(files: TreeFolder) -> None:
    files.write(a_yml=STACK)
    assembled = files.assembled("a.yml")
    assert assembled.switched_off == ("db", "debug")
    assert assembled.profiles == {"data", "all", "debug"}
    assert files.notes("a.yml") == [
        "a.yml:3:3: services.db: is left out: none of its profiles is on (data, all)",
        "a.yml:4:3: services.debug: is left out: none of its profiles is on (debug)",
    ]


@pytest.mark.parametrize("profiles", ["[]", "null", "5", "{}", "text"])
def test_a_service_whose_profiles_name_none_is_on(files: TreeFolder, profiles: str) -> None:
    files.write(a_yml=f"services: {{web: {{image: a, profiles: {profiles}}}}}")
    assert names(files) == ["web"]


def test_profiles_are_looked_at_after_files_are_merged(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {a: {image: x, profiles: [p]}, b: {image: x}, c: {extends: a}}",
        b_yml="services: {a: {profiles: !reset []}, b: {profiles: [p]}}",
    )
    assert names(files, "a.yml", "b.yml") == ["a"]


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("depends_on", "[db]", "depends_on[0]"),
        ("depends_on", "{db: {condition: service_started}}", "depends_on.db"),
        ("depends_on", "{db: {condition: service_started, required: true}}", "depends_on.db"),
        ("depends_on", "{db: }", "depends_on.db"),
        ("links", "['db:alias']", "links[0]"),
        ("volumes_from", "['db:ro']", "volumes_from[0]"),
        ("network_mode", "'service:db'", "network_mode"),
        ("ipc", "'service:db'", "ipc"),
        ("pid", "'service:db'", "pid"),
    ],
)
def test_depending_on_a_service_that_is_off_is_a_mistake(
    files: TreeFolder, key: str, value: str, place: str
) -> None:
    files.write(
        a_yml=f"services:\n  db: {{image: x, profiles: [p]}}\n  web: {{image: x, {key}: {value}}}\n"
    )
    (problem,) = files.problems("a.yml")
    assert problem.startswith("a.yml:3:")
    assert problem.endswith(
        f" services.web.{place}: depends on service db, which is left out: none of its profiles is "
        "on (p); switch it on with --profile p, or depend on it with required: false"
    )
    files.request = files.request._replace(profiles=["p"])
    assert files.problems("a.yml") == []


@pytest.mark.parametrize("required", ["false", "'false'", "'no'"])
def test_a_dependency_that_is_not_required_goes_with_the_service(
    files: TreeFolder, required: str
) -> None:
    files.write(
        a_yml=f"""\
        services:
          db: {{image: x, profiles: [p]}}
          web: {{depends_on: {{db: {{required: {required}}}, other: {{required: true}}}}}}
        """
    )
    web = files.at(["services", "web"], "a.yml")
    assert web == {"depends_on": {"other": {"required": True}}}
    assert files.notes("a.yml")[1] == (
        "a.yml:3:22: services.web.depends_on.db: is not waited for: none of its profiles is on (p)"
    )


def test_services_that_are_off_may_depend_on_each_other(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {a: {profiles: [p], depends_on: [b]}, b: {profiles: [q]}, c: {tty: true}}"
    )
    assert names(files) == ["c"]


def test_namespaces_of_the_host_are_no_services(files: TreeFolder) -> None:
    files.write(a_yml="services: {host: {profiles: [p]}, web: {network_mode: host, pid: host}}")
    assert names(files) == ["web"]
