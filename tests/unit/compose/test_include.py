"""`include`: projects of their own below the one that includes them."""

from pathlib import Path

import pytest

from stackctl.compose.syntax import tree
from tests.unit.compose.tree_folder import TreeFolder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    monkeypatch.chdir(tmp_path)
    return TreeFolder(tmp_path)


SUB = """\
name: other
version: "3"
x-own: 1
services:
  db:
    image: "db:${TAG:-none}"
    build: ./ctx
    volumes: [./data:/d]
networks: {back: }
volumes: {store: {driver: local, driver_opts: {o: bind, device: ./store}}}
secrets: {key: {file: key.txt}}
configs: {site: {file: ./site.conf}}
models: {m: {model: x}}
"""


def test_what_is_included_stands_in_its_order_before_what_includes_it(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [b.yml, c.yml]\nservices: {web: {image: x}, two: {tty: true}}",
        b_yml="services: {one: {image: x}, last: {image: x}}",
        c_yml="services: {two: {image: x}, one: {tty: true}}",
    )
    services = files.at(["services"], "a.yml")
    assert isinstance(services, dict)
    assert list(services) == ["one", "last", "two", "web"]


@pytest.mark.parametrize(
    "include",
    [
        *("[sub/b.yml]", "[{path: sub/b.yml}]", "[{path: [./sub/b.yml]}]"),
        "[{path: sub/b.yml, project_directory: sub}]",
        "[{path: sub/b.yml, env_file: /dev/null}]",
    ],
)
def test_an_included_file_has_its_own_folder_and_gives_its_sections(
    files: TreeFolder, include: str
) -> None:
    files.write(a_yml=f"include: {include}\nservices: {{web: {{image: x}}}}", sub__b_yml=SUB)
    assert files.root("a.yml") == {
        "services": {
            "web": {"image": "x"},
            "db": {"image": "db:none", "build": "./sub/ctx", "volumes": ["./sub/data:/d"]},
        },
        "networks": {"back": None},
        "volumes": {
            "store": {"driver": "local", "driver_opts": {"o": "bind", "device": "./sub/store"}}
        },
        "secrets": {"key": {"file": "./sub/key.txt"}},
        "configs": {"site": {"file": "./sub/site.conf"}},
        "models": {"m": {"model": "x"}},
    }


def test_another_project_directory_is_where_paths_start(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [{path: sub/b.yml, project_directory: other}]",
        sub__b_yml="services: {db: {image: x, build: ctx}}",
    )
    files.write_at("other/.env", "TAG=7")
    assert files.at(["services", "db", "build"], "a.yml") == "./other/ctx"


def test_an_included_project_has_its_own_dotenv_below_the_variables_of_its_user(
    files: TreeFolder,
) -> None:
    files.write(
        a_yml="include: [sub/b.yml]\nservices: {web: {image: 'x:$B'}}",
        sub__b_yml="services: {db: {image: '$A-$B-$C-$D', environment: [A, B, C, D, E=1]}}",
    )
    files.write_at(".env", "A=outer\nC=outer")
    files.write_at("sub/.env", "A=sub\nB=sub\nD=sub-$C")
    files.request = files.request._replace(environment={"C": "shell"})
    services = files.at(["services"], "a.yml")
    assert services == {
        "web": {"image": "x:"},
        "db": {
            "image": "outer-sub-shell-sub-shell",
            "environment": ["A", "B=sub", "C", "D=sub-shell", "E=1"],
        },
    }


def test_env_file_of_an_inclusion_replaces_its_dotenv(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [{path: sub/b.yml, env_file: [one.env, two.env]}]",
        sub__b_yml="services: {db: {image: '$A-$B-$C', environment: {A: , B: x, Z: }}}",
        one_env="A=1\nB=1",
        two_env="B=2-$A",
    )
    files.write_at("sub/.env", "C=sub")
    db = files.at(["services", "db"], "a.yml")
    assert db == {"image": "1-2-1-", "environment": {"A": "1", "B": "x", "Z": None}}


def test_the_including_file_goes_over_what_it_includes(files: TreeFolder) -> None:
    files.write(
        a_yml="""\
        include: [sub/b.yml]
        services:
          db: {image: mine, volumes: ['./own:/o'], ports: !reset []}
        networks: {back: {internal: true}}
        """,
        sub__b_yml="""\
        services: {db: {image: x, volumes: ['./data:/d'], ports: [1]}}
        networks: {back: {driver: overlay}}
        """,
    )
    assert files.root("a.yml") == {
        "services": {"db": {"image": "mine", "volumes": ["./sub/data:/d", "./own:/o"]}},
        "networks": {"back": {"driver": "overlay", "internal": True}},
    }


def test_files_of_one_inclusion_are_merged_and_those_of_several_are_too(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [{path: [sub/b.yml, sub/c.yml]}, d.yml]",
        sub__b_yml="services: {db: {image: b, ports: [1]}}",
        sub__c_yml="services: {db: {image: c, build: x, ports: !override [2]}}",
        d_yml="services: {db: {image: d, tty: true}}",
    )
    db = files.at(["services", "db"], "a.yml")
    assert db == {"image": "c", "tty": True, "ports": [2], "build": "./sub/x"}


def test_inclusions_nest_and_paths_add_up(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [one/b.yml]",
        one__b_yml="include: [two/c.yml]\nservices: {b: {image: x, build: b}}",
        one__two__c_yml="services: {c: {build: c}, d: {extends: {file: ../../d.yml, service: d}}}",
        d_yml="services: {d: {build: d}}",
    )
    assert files.at(["services"], "a.yml") == {
        "b": {"image": "x", "build": "./one/b"},
        "c": {"build": "./one/two/c"},
        "d": {"build": "./d"},
    }


def test_services_that_are_included_can_be_extended(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [sub/b.yml]\nservices: {web: {extends: db, tty: true}}",
        sub__b_yml="services: {db: {image: x, build: .}}",
    )
    web = files.at(["services", "web"], "a.yml")
    assert web == {"image": "x", "build": "./sub", "tty": True}


def test_the_same_project_may_be_included_twice(files: TreeFolder) -> None:
    files.write(
        a_yml="include: [b.yml, c.yml]",
        b_yml="include: [d.yml]\nservices: {b: {image: x}}",
        c_yml="include: [d.yml]\nservices: {c: {image: x}}",
        d_yml="services: {d: {image: x}}",
    )
    services = files.at(["services"], "a.yml")
    assert isinstance(services, dict)
    assert sorted(services) == ["b", "c", "d"]


def test_each_file_of_a_load_may_include(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {image: a}}",
        b_yml="include: [sub/c.yml]\nservices: {web: {image: b}}",
        sub__c_yml="services: {web: {image: c, build: .}}",
    )
    web = files.at(["services", "web"], "a.yml", "b.yml")
    assert web == {"image": "b", "build": "./sub"}


def test_places_and_files_name_the_included_file(files: TreeFolder) -> None:
    files.write(a_yml="include: [sub/b.yml]", sub__b_yml="services:\n  db:\n    build: ctx\n")
    assembled = files.assembled("a.yml")
    assert assembled.files == ("a.yml", "sub/b.yml")
    node = assembled.root
    for key in ("services", "db", "build"):
        assert isinstance(node, tree.Mapping)
        node = node.entries[key].value
    assert node.position == ("sub/b.yml", 3, 12)


@pytest.mark.parametrize(
    ("include", "problems"),
    [
        ("b.yml", ["a.yml:1:1: include: must be a list of files, not text"]),
        ("[[]]", ["a.yml:1:11: include[0]: must be a path or a mapping, not a list"]),
        ("[5.5.5]", ["a.yml:1:11: include[0]: cannot read 5.5.5: No such file or directory"]),
        ("[null]", ["a.yml:1:11: include[0]: must be a path, not empty"]),
        ("[{}]", ["a.yml:1:11: include[0]: no path is given to include; add path:"]),
        (
            "[{path: b.yml, pth: c}]",
            ["a.yml:1:25: include[0].pth: unknown key; did you mean path?"],
        ),
        (
            "[no.yml, {path: [b.yml, gone.yml]}]",
            [
                "a.yml:1:11: include[0]: cannot read no.yml: No such file or directory",
                "a.yml:1:34: include[1].path[1]: cannot read gone.yml: No such file or directory",
            ],
        ),
        (
            "[{path: b.yml, env_file: no.env}]",
            ["a.yml:1:35: include[0].env_file: cannot read no.env: No such file or directory"],
        ),
        (
            "[{path: b.yml, project_directory: [x, y]}]",
            ["a.yml:1:48: include[0].project_directory[1]: a project has one folder"],
        ),
        (
            "['https://example.org/x.git', 'oci://x']",
            [
                (
                    "a.yml:1:11: include[0]: files are not fetched from elsewhere; "
                    "keep a copy beside this file"
                ),
                (
                    "a.yml:1:40: include[1]: files are not fetched from elsewhere; "
                    "keep a copy beside this file"
                ),
            ],
        ),
        (
            "[a.yml]",
            ["a.yml:1:11: include[0]: files include each other in a circle: a.yml -> a.yml"],
        ),
        (
            "[sub/loop.yml]",
            [
                (
                    "sub/loop.yml:1:11: include[0]: files include each other in a circle: "
                    "a.yml -> loop.yml -> a.yml"
                )
            ],
        ),
        ("[list.yml]", ["list.yml:1:1: must be a mapping with services:, not a list"]),
        (
            "[bad.yml]",
            [
                (
                    "bad.yml:2:1: not valid YAML: while parsing a flow node, "
                    "did not find expected node content"
                )
            ],
        ),
    ],
)
def test_what_is_wrong_with_an_inclusion_is_told_where_it_is(
    files: TreeFolder, include: str, problems: list[str]
) -> None:
    files.write(
        a_yml=f"include: {include}\nservices: {{}}\n",
        b_yml="services: {}",
        sub__loop_yml="include: [../a.yml]",
        list_yml="[]",
        bad_yml="services: [\n",
    )
    assert files.problems("a.yml") == problems


def test_mistakes_in_the_dotenv_of_an_inclusion_have_their_line(files: TreeFolder) -> None:
    files.write(a_yml="include: [sub/b.yml]", sub__b_yml="services: {}")
    files.write_at("sub/.env", "A=1\nB C=2\n")
    assert files.problems("a.yml") == ["sub/.env:2:1: a name cannot contain a blank: B C"]


def test_inclusions_that_double_at_every_level_are_refused(files: TreeFolder) -> None:
    for number in range(20):
        files.write_at(f"f{number}.yml", f"include: [f{number + 1}.yml, ./f{number + 1}.yml]\n")
    files.write(f20_yml="services: {}")
    (problem,) = files.problems("f0.yml")
    assert "more than 500 files, counting those of files that are named repeatedly" in problem


def test_inclusions_that_go_too_deep_are_refused(files: TreeFolder) -> None:
    for number in range(60):
        files.write_at(f"f{number}.yml", f"include: [f{number + 1}.yml]\n")
    (problem,) = files.problems("f0.yml")
    assert "files include each other over more than 32 steps" in problem


def test_values_of_files_that_are_included_again_and_again_are_counted(files: TreeFolder) -> None:
    names = ", ".join(["big.yml"] * 30)
    ones = ", ".join(["*o"] * 1_000)
    files.write(
        a_yml=f"include: [{names}]", big_yml=f"x-one: &o [{'1, ' * 20}]\nx-many: [{ones}]\n"
    )
    (problem,) = files.problems("a.yml")
    assert "big.yml:1:1: more than 200000 values, counting those of files that are" in problem
