"""`extends`: bases of the same and of other files, chains, circles, paths of elsewhere."""

from pathlib import Path

import pytest

from stackctl.compose.merging.extends import CHAIN_MAX
from stackctl.compose.syntax import tree
from tests.unit.compose.stack_folder import StackFolder
from tests.unit.compose.tree_folder import TreeFolder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    monkeypatch.chdir(tmp_path)
    return TreeFolder(tmp_path)


def service(files: TreeFolder, *paths: str, name: str = "web") -> object:
    return files.at(["services", name], *(paths or ("a.yml",)))


@pytest.mark.parametrize("extends", ["base", "{service: base}", "{service: base, file: a.yml}"])
def test_a_service_goes_over_its_base(files: TreeFolder, extends: str) -> None:
    files.write(
        a_yml=f"""\
        services:
          web: {{extends: {extends}, command: [b], environment: {{B: 2}}, depends_on: [db]}}
          base: {{image: x, command: [a], environment: [A=1], restart: always}}
          db: {{image: y}}
        """
    )
    assert service(files) == {
        "image": "x",
        "command": ["b"],
        "environment": ["A=1", "B=2"],
        "restart": "always",
        "depends_on": ["db"],
    }
    assert service(files, name="base") == {
        "image": "x",
        "command": ["a"],
        "environment": ["A=1"],
        "restart": "always",
    }


@pytest.mark.parametrize("names", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]], ids="".join)
def test_bases_have_bases_in_any_order(files: TreeFolder, names: list[str]) -> None:
    texts = {
        "a": "{image: x, cap_add: [A]}",
        "b": "{extends: a, cap_add: [B]}",
        "c": "{extends: b, cap_add: [C]}",
    }
    lines = "\n".join(f"  {name}: {texts[name]}" for name in names)
    files.write(a_yml=f"services:\n{lines}\n")
    assert service(files, name="c") == {"image": "x", "cap_add": ["A", "B", "C"]}
    assert service(files, name="b") == {"image": "x", "cap_add": ["A", "B"]}


def test_a_base_of_another_file_has_that_files_paths(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {extends: {file: sub/b.yml, service: base}, volumes: ['./own:/o']}}",
        sub__b_yml="""\
        services:
          base:
            extends: {file: ../c.yml, service: lowest}
            image: x
            build: .
            env_file: b.env
            volumes: [./data:/d, named:/n, /abs:/a, ~/home:/h]
        """,
        c_yml="services: {lowest: {label_file: [l.labels], security_opt: ['seccomp:p.json']}}",
    )
    assert service(files) == {
        "image": "x",
        "build": "./sub",
        "env_file": "./sub/b.env",
        "volumes": ["./sub/data:/d", "named:/n", "/abs:/a", "~/home:/h", "./own:/o"],
        "label_file": ["./l.labels"],
        "security_opt": ["seccomp:./p.json"],
    }


def test_the_file_of_a_base_starts_at_the_folder_of_the_file_that_names_it(
    files: TreeFolder,
) -> None:
    files.write(
        sub__a_yml="services: {web: {extends: {file: b.yml, service: web}}}",
        sub__b_yml="services: {web: {extends: {file: deep/c.yml, service: web}}}",
        sub__deep__c_yml="services: {web: {image: x, build: ctx}}",
    )
    assert service(files, "sub/a.yml") == {"image": "x", "build": "./deep/ctx"}


def test_tags_take_away_what_a_base_has(files: TreeFolder) -> None:
    files.write(
        a_yml="""\
        services:
          web: {extends: base, ports: !reset [], cap_add: !override [B], deploy: {a: !reset 1}}
          base: {image: x, ports: [80], cap_add: [A], deploy: {a: 1, b: 2}}
        """
    )
    assert service(files) == {"image": "x", "cap_add": ["B"], "deploy": {"b": 2}}


def test_tags_of_a_base_end_with_it_and_those_of_a_service_reach_earlier_files(
    files: TreeFolder,
) -> None:
    files.write(
        a_yml="services: {web: {image: x, ports: [1], cap_add: [A], dns: [a]}}",
        b_yml="""\
        services:
          base: {ports: !override [2], dns: [b]}
          web: {extends: base, cap_add: !reset [], dns: !override [c]}
        """,
    )
    assert service(files, "a.yml", "b.yml") == {"image": "x", "ports": [1, 2], "dns": ["c"]}


def test_extends_of_an_earlier_file_is_done_before_a_later_one_goes_over_it(
    files: TreeFolder,
) -> None:
    files.write(
        a_yml="services: {web: {extends: base}, base: {image: x, ports: [1]}}",
        b_yml="services: {web: {ports: [2]}, base: {ports: [3]}}",
    )
    assert service(files, "a.yml", "b.yml") == {"image": "x", "ports": [1, 2]}


def test_values_of_a_base_keep_their_places(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {extends: {file: d/b.yml, service: base}}}",
        d__b_yml="services:\n  base:\n    build: ctx\n",
    )
    root = files.assembled("a.yml").root
    for key in ("services", "web"):
        assert isinstance(root, tree.Mapping)
        root = root.entries[key].value
    assert isinstance(root, tree.Mapping)
    assert root.entries["build"].value.position == ("d/b.yml", 3, 12)
    assert root.entries["build"].key_position == ("d/b.yml", 3, 5)


def test_variables_are_put_into_bases_too(files: TreeFolder) -> None:
    files.request = files.request._replace(environment={"T": "1"})
    files.write(
        a_yml="services: {web: {extends: {file: '${F:-b}.yml', service: base}}}",
        b_yml="services: {base: {image: 'x:${T}'}}",
    )
    assert service(files) == {"image": "x:1"}


def test_what_the_file_of_a_base_includes_is_not_looked_at(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {extends: {file: b.yml, service: base}}}",
        b_yml="include: [nowhere.yml]\nservices: {base: {image: x}}",
    )
    assert service(files) == {"image": "x"}


def test_all_documents_of_the_file_of_a_base_count(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {extends: {file: b.yml, service: base}}}",
        b_yml="services: {base: {image: x}}\n---\nservices: {base: {tty: true}}",
    )
    assert service(files) == {"image": "x", "tty": True}


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "{web: {extends: bse}, base: {}}",
            [
                (
                    "a.yml:1:27: services.web.extends: there is no service 'bse' in a.yml to "
                    "extend; did you mean base?"
                )
            ],
        ),
        (
            "{web: {extends: other}}",
            [
                (
                    "a.yml:1:27: services.web.extends: there is no service 'other' in a.yml to "
                    "extend; for a service of another file, write {file: FILE, service: SERVICE}"
                )
            ],
        ),
        (
            "{web: {extends: {file: b.yml, service: x}}}",
            ["a.yml:1:27: services.web.extends: there is no service 'x' in b.yml to extend"],
        ),
        (
            "{web: {extends: {file: no.yml, service: x}}}",
            [
                "a.yml:1:27: services.web.extends: cannot read no.yml: No such file or directory",
            ],
        ),
        (
            "{web: {extends: {file: empty.yml, service: x}}}",
            ["a.yml:1:27: services.web.extends: empty.yml has no services to extend"],
        ),
        (
            "{web: {extends: {file: b.yml}}}",
            ["a.yml:1:18: services.web.extends: no service is given to extend"],
        ),
        (
            "{web: {extends: {servce: x, service: web, file: b.yml}}, x: {}}",
            ["a.yml:1:28: services.web.extends.servce: unknown key; did you mean service?"],
        ),
        (
            "{web: {extends: [x]}}",
            [
                "a.yml:1:27: services.web.extends: must be the name of a service, not a list",
            ],
        ),
        (
            "{web: {extends: }}",
            [
                "a.yml:1:18: services.web.extends: must be the name of a service, not empty",
            ],
        ),
        (
            "{web: {extends: {service: x, file: {}}}}",
            [
                "a.yml:1:46: services.web.extends.file: must be the name of a file, not a mapping",
            ],
        ),
        (
            "{web: {extends: web}}",
            [
                (
                    "a.yml:1:27: services.web.extends: services extend each other in a circle: "
                    "web -> web"
                )
            ],
        ),
        (
            "{a: {extends: b}, b: {extends: c}, c: {extends: a}}",
            [
                (
                    "a.yml:1:59: services.c.extends: services extend each other in a circle: "
                    "a -> b -> c -> a"
                )
            ],
        ),
        (
            "{a: {extends: {file: a.yml, service: a}}}",
            ["a.yml:1:25: services.a.extends: services extend each other in a circle: a -> a"],
        ),
        (
            "{web: {extends: {file: loop.yml, service: x}}}",
            [
                (
                    "loop.yml:1:25: services.y.extends: services extend each other in a circle: "
                    "x -> y -> x"
                )
            ],
        ),
        (
            "{web: {extends: {file: 'https://x/y.yml', service: x}}}",
            [
                (
                    "a.yml:1:27: services.web.extends: files are not fetched from elsewhere; "
                    "keep a copy beside this file"
                )
            ],
        ),
    ],
)
def test_what_is_wrong_with_extends_is_told_where_it_is(
    files: TreeFolder, text: str, problems: list[str]
) -> None:
    files.write(
        a_yml=f"services: {text}\n",
        b_yml="services: {web: {image: x}}",
        empty_yml="networks: {}",
        loop_yml=(
            "services: {y: {extends: {file: loop.yml, service: x}},"
            " x: {extends: {file: loop.yml, service: y}}}"
        ),
    )
    assert files.problems("a.yml") == problems


def test_a_service_that_is_no_mapping_is_left_to_its_reader(files: TreeFolder) -> None:
    files.write(a_yml="services: {web: {extends: base, image: x}, base: , odd: 5}")
    assert service(files) == {"image": "x"}
    assert service(files, name="odd") == 5


def test_chains_have_an_end(files: TreeFolder) -> None:
    count = CHAIN_MAX + 5
    lines = [f"  s{number}: {{extends: s{number + 1}}}" for number in range(count)]
    files.write(a_yml="services:\n" + "\n".join([*lines, f"  s{count}: {{image: x}}"]))
    (problem,) = files.problems("a.yml")
    assert f"services extend each other over more than {CHAIN_MAX} steps" in problem


def test_many_services_may_extend_one_of_another_file(files: TreeFolder) -> None:
    lines = "\n".join(
        f"  s{number}: {{extends: {{file: d/b.yml, service: base}}}}" for number in range(600)
    )
    files.write(a_yml=f"services:\n{lines}\n", d__b_yml="services: {base: {image: x, build: .}}")
    services = files.at(["services"], "a.yml")
    assert isinstance(services, dict)
    assert len(services) == 600
    assert all(found == {"image": "x", "build": "./d"} for found in services.values())


def test_what_extends_repeats_counts(files: TreeFolder) -> None:
    lines = "\n".join(f"  s{number}: {{extends: base}}" for number in range(200))
    ports = ", ".join(str(port) for port in range(600))
    files.write(a_yml=f"services:\n  base: {{ports: [{ports}]}}\n{lines}\n")
    assert "more than 100000 values" in files.problems("a.yml")[0]


def test_a_service_whose_base_is_not_found_is_not_blamed_for_its_image(stack: StackFolder) -> None:
    (problem,) = stack.problems("services: {web: {extends: bse}, base: {image: x}}")
    assert "did you mean base?" in problem
