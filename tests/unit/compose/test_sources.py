"""Where a load starts from: files, folders, variables and the stack's name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stackctl.compose import read
from stackctl.compose.merging.sources import FILE_NAMES, OVERRIDE_NAMES, name_from
from stackctl.errors import InputError
from tests.unit.compose.tree_folder import TreeFolder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return TreeFolder(folder)


def image(files: TreeFolder, *paths: str) -> object:
    return files.at(["services", "web", "image"], *paths)


def asks(files: TreeFolder, **request: Any) -> None:
    files.request = files.request._replace(**request)


WEB = "services: {web: {image: '%s'}}"


@pytest.mark.parametrize("name", FILE_NAMES)
@pytest.mark.parametrize("override", [None, *OVERRIDE_NAMES])
def test_a_file_is_found_with_the_one_that_overrides_it(
    files: TreeFolder, name: str, override: str | None
) -> None:
    files.write_at(name, WEB % "found")
    if override:
        files.write_at(override, "services: {web: {tty: true}}")
    service = files.at(["services", "web"])
    assert service == ({"image": "found", "tty": True} if override else {"image": "found"})
    assert files.assembled().files == ((name, override) if override else (name,))


def test_a_file_is_found_in_a_folder_above(
    files: TreeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_at("compose.yaml", WEB % "$A-$B")
    files.write_at("compose.override.yml", "services: {web: {build: .}}")
    files.write_at(".env", "A=project\nB=project")
    files.write_at("deep/er/.env", "A=here")
    monkeypatch.chdir(files.folder / "deep" / "er")
    assembled = files.assembled()
    assert assembled.base == files.folder
    assert assembled.files == (
        str(files.folder / "compose.yaml"),
        str(files.folder / "compose.override.yml"),
    )
    assert image(files) == "project-project"


def test_of_two_kinds_the_first_is_read_and_the_other_noted(files: TreeFolder) -> None:
    for name in reversed(FILE_NAMES):
        files.write_at(name, WEB % name)
    assert image(files) == "compose.yaml"
    assert files.notes() == [
        f"{name}:1:1: is not read, because compose.yaml stands beside it" for name in FILE_NAMES[1:]
    ]


def test_without_any_file_the_user_is_told_what_to_type(files: TreeFolder) -> None:
    with pytest.raises(InputError, match=r"there is no compose\.yaml here or in a") as caught:
        files.assembled()
    assert caught.value.hint == "name one with -c FILE"


@pytest.mark.parametrize(
    ("environment", "dotenv"),
    [
        ({"COMPOSE_FILE": "a.yml:sub/b.yml"}, ""),
        ({"COMPOSE_FILE": "a.yml;sub/b.yml", "COMPOSE_PATH_SEPARATOR": ";"}, ""),
        ({}, "COMPOSE_FILE=a.yml,sub/b.yml\nCOMPOSE_PATH_SEPARATOR=,"),
    ],
)
def test_files_are_named_by_a_variable(
    files: TreeFolder, environment: Mapping[str, str], dotenv: str
) -> None:
    asks(files, environment=environment)
    files.write(
        a_yml=WEB % "a",
        sub__b_yml="services: {web: {build: .}}",
        compose_override_yml="services: {web: {tty: true}}",
    )
    files.write_at(".env", dotenv)
    assert files.at(["services", "web"]) == {"image": "a", "build": "."}
    assert files.assembled().base == files.folder


def test_files_that_are_given_win_over_the_variable(files: TreeFolder) -> None:
    asks(files, environment={"COMPOSE_FILE": "a.yml"})
    files.write(a_yml=WEB % "a", b_yml=WEB % "b")
    assert image(files, "b.yml") == "b"


def test_the_first_file_says_where_the_project_is(files: TreeFolder) -> None:
    files.write(sub__a_yml=WEB % "$A", other__b_yml="services: {web: {tty: true}}")
    files.write_at(".env", "A=here")
    files.write_at("sub/.env", "A=sub")
    files.write_at("other/.env", "A=other")
    assembled = files.assembled("sub/a.yml", "other/b.yml")
    assert assembled.base == files.folder / "sub"
    assert image(files, "sub/a.yml", "other/b.yml") == "sub"


@pytest.mark.parametrize("path", ["..", "../../above/there/.."])
def test_a_folder_above_gives_its_name_though_it_is_written_with_dots(
    files: TreeFolder, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asks(files, stack_name=None)
    files.write_at("above/a.yml", WEB % "$COMPOSE_PROJECT_NAME")
    (files.folder / "above" / "there").mkdir()
    monkeypatch.chdir(files.folder / "above" / "there")
    assembled = files.assembled(f"{path}/a.yml")
    assert assembled.base == files.folder / "above"
    assert image(files, f"{path}/a.yml") == "above"


def test_a_project_directory_wins_over_the_folder_of_the_file(files: TreeFolder) -> None:
    asks(files, project_directory="other")
    files.write(sub__a_yml=f"include: [c.yml]\n{WEB % '$A'}", other__c_yml="services: {}")
    files.write_at("other/.env", "A=other")
    files.write_at("sub/.env", "A=sub")
    assert image(files, "sub/a.yml") == "other"
    assert files.assembled("sub/a.yml").base == files.folder / "other"


def test_a_project_directory_that_is_no_folder_is_refused(files: TreeFolder) -> None:
    asks(files, project_directory="nowhere")
    with pytest.raises(InputError, match="nowhere is no folder to start from"):
        files.assembled()


def test_a_file_is_looked_for_in_the_project_directory(files: TreeFolder) -> None:
    asks(files, project_directory="other")
    files.write_at("other/compose.yml", WEB % "other")
    assert image(files) == "other"


@pytest.mark.parametrize(
    ("environment", "env_files", "result"),
    [
        ({}, [], "dotenv--"),
        ({"A": "shell"}, [], "shell--"),
        ({}, ["one.env"], "one-one-"),
        ({}, ["one.env", "two.env"], "one-two-one+two"),
        ({"B": "shell"}, ["one.env", "two.env"], "one-shell-shell+two"),
        ({"COMPOSE_ENV_FILES": "one.env,two.env"}, [], "one-two-one+two"),
        ({"COMPOSE_ENV_FILES": "two.env"}, ["one.env"], "one-one-"),
        ({"COMPOSE_DISABLE_ENV_FILE": "1"}, [], "--"),
        ({"COMPOSE_DISABLE_ENV_FILE": "true"}, ["one.env"], "one-one-"),
        ({"COMPOSE_DISABLE_ENV_FILE": "0"}, [], "dotenv--"),
    ],
)
def test_variables_come_from_the_environment_then_from_files_the_later_before_the_earlier(
    files: TreeFolder, environment: Mapping[str, str], env_files: list[str], result: str
) -> None:
    asks(files, environment=environment, env_files=env_files)
    files.write(a_yml=WEB % "$A-$B-$C", one_env="A=one\nB=one", two_env="C=$B+two\nB=two")
    files.write_at(".env", "A=dotenv")
    assert image(files, "a.yml") == result


def test_an_env_file_that_is_missing_is_refused(files: TreeFolder) -> None:
    asks(files, env_files=["no.env"])
    files.write(a_yml=WEB % "x")
    with pytest.raises(InputError, match=r"cannot read no\.env: No such file"):
        files.assembled("a.yml")


def test_mistakes_in_an_env_file_stand_after_those_of_the_file(files: TreeFolder) -> None:
    asks(files, env_files=["bad.env"])
    files.write(a_yml=WEB % "${X?}", bad_env="A=1\n\nB B=2")
    assert [line[: line.index(": ")] for line in files.problems("a.yml")] == [
        "a.yml:1:25",
        "bad.env:3:1",
    ]


def test_a_folder_called_dotenv_is_no_mistake(files: TreeFolder) -> None:
    files.write(a_yml=WEB % "x")
    (files.folder / ".env").mkdir()
    assert image(files, "a.yml") == "x"


@pytest.mark.parametrize(
    ("given", "environment", "text", "name"),
    [
        ("given", {"COMPOSE_PROJECT_NAME": "variable"}, "name: file", "given"),
        (None, {"COMPOSE_PROJECT_NAME": "variable"}, "name: file", "variable"),
        (None, {"COMPOSE_PROJECT_NAME": ""}, "name: file", "file"),
        (None, {}, "name: My File!", "myfile"),
        (None, {"X": "y"}, "name: 'n-$X'", "n-y"),
        (None, {}, "name: a\n---\nname: b\n---\nx-c: 1", "b"),
        (None, {}, "services: {}", "project"),
    ],
)
def test_the_name_comes_from_the_nearest_that_gives_one(
    files: TreeFolder, given: str | None, environment: Mapping[str, str], text: str, name: str
) -> None:
    asks(files, stack_name=given, environment=environment)
    files.write(a_yml=text, b_yml="services: {web: {image: '${COMPOSE_PROJECT_NAME}'}}")
    assert files.assembled("a.yml", "b.yml").name == name
    assert image(files, "a.yml", "b.yml") == name


def test_the_variable_for_the_name_may_stand_in_dotenv(files: TreeFolder) -> None:
    asks(files, stack_name=None)
    files.write(a_yml="name: file\nservices: {}")
    files.write_at(".env", "COMPOSE_PROJECT_NAME=dotenv")
    assert files.assembled("a.yml").name == "dotenv"


@pytest.mark.parametrize(
    ("given", "environment"), [("a b", {}), ("", {}), (None, {"COMPOSE_PROJECT_NAME": "a/b"})]
)
def test_a_name_that_is_given_is_not_changed_but_refused(
    files: TreeFolder, given: str | None, environment: Mapping[str, str]
) -> None:
    asks(files, stack_name=given, environment=environment)
    files.write(a_yml="services: {}")
    with pytest.raises(InputError, match="invalid stack name"):
        files.assembled("a.yml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My App", "myapp"),
        ("_-a.b_c-", "ab_c-"),
        ("ÄÖ", None),
        ("", None),
        ("x" * 100, None),
        ("1", "1"),
    ],
)
def test_a_name_is_made_of_what_may_be_in_one(text: str, name: str | None) -> None:
    assert name_from(text) == name


def test_capitals_are_for_clusters(files: TreeFolder) -> None:
    files.write(a_yml="services: {}")
    asks(files, stack_name="Shop")
    assert files.assembled("a.yml").name == "Shop"
    for given, environment in (("Shop", {}), (None, {"COMPOSE_PROJECT_NAME": "Shop"})):
        asks(files, stack_name=given, environment=environment)
        files.request = files.request._replace(is_local=True)
        with pytest.raises(InputError, match="lower-case") as caught:
            files.assembled("a.yml")
        assert caught.value.hint == "shop is one"


def test_a_name_in_the_file_of_which_nothing_is_left_is_a_problem(files: TreeFolder) -> None:
    asks(files, stack_name=None)
    files.write(a_yml="services: {}\nname: '!!!'\n")
    assert files.problems("a.yml") == ["a.yml:2:7: name: no stack can be called '!!!'"]


def test_a_folder_that_gives_no_name_is_told(
    files: TreeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(files, stack_name=None)
    files.write_at("___/a.yml", "services: {}")
    with pytest.raises(InputError, match="gives no name to a stack") as caught:
        files.assembled("___/a.yml")
    assert caught.value.hint == "give one with -p NAME"


def test_the_variables_that_were_looked_up_are_told(files: TreeFolder) -> None:
    asks(files, environment={"A": "1", "B": "2"})
    files.write(a_yml="services: {web: {image: '$A-$C-${D:-$E}', user: '${A:+x}${B+y}'}}")
    used = files.assembled("a.yml").variables.used
    assert used == {"A": "1", "C": None, "D": None, "E": None, "B": "2"}


def test_files_together_have_a_size(files: TreeFolder) -> None:
    comment = "#" * (read.COMPOSE_FILE_BYTES_MAX - 20)
    for name in "abc":
        files.write_at(f"{name}.yml", f"services: {{}}\n{comment}")
    (problem,) = files.problems("a.yml", "b.yml", "c.yml")
    assert problem == "c.yml:1:1: the files have more than 8192 KiB together"
