"""Merging around the rules: documents, tags, variables, what cannot be read, and bounds."""

from pathlib import Path

import pytest

from stackctl.compose.merging.merge import STEPS_MAX
from stackctl.compose.syntax import tree
from tests.unit.compose.tree_folder import TreeFolder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    monkeypatch.chdir(tmp_path)
    found = TreeFolder(tmp_path)
    found.request = found.request._replace(profiles=["*"])
    return found


def test_documents_of_one_file_are_merged_like_files(files: TreeFolder) -> None:
    files.write(
        a_yml="""\
        services: {web: {image: a, ports: ["80:80"], command: [x]}}
        ---
        services: {web: {image: b, ports: ["81:81"], command: !reset null}}
        ---
        services: {db: {image: c}}
        """
    )
    assert files.root("a.yml") == {
        "services": {
            "web": {"image": "b", "ports": ["80:80", "81:81"]},
            "db": {"image": "c"},
        }
    }


def test_three_files_each_with_its_tags(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {image: a, ports: [1], cap_add: [A]}}",
        b_yml="services: {web: {ports: !override [2], cap_add: !reset []}}",
        c_yml="services: {web: {ports: [3], cap_add: [B]}}",
    )
    assert files.at(["services", "web"], "a.yml", "b.yml", "c.yml") == {
        "image": "a",
        "ports": [2, 3],
        "cap_add": ["B"],
    }


def test_tags_in_one_file_alone_do_what_they_say(files: TreeFolder) -> None:
    files.write(a_yml="services: {web: {image: a, ports: !reset [1], dns: !override [x]}}")
    assert files.at(["services", "web"], "a.yml") == {"image": "a", "dns": ["x"]}


def test_a_whole_service_can_be_reset(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {image: a}, db: {image: b}}", b_yml="services: {db: !reset null}"
    )
    assert files.root("a.yml", "b.yml") == {"services": {"web": {"image": "a"}}}


def test_tags_reach_through_anchors(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {a: {ports: [1], dns: [x]}, b: {ports: [2]}}",
        b_yml="x-none: &none {ports: !reset []}\nservices: {a: *none, b: {<<: *none, tty: true}}",
    )
    assert files.at(["services"], "a.yml", "b.yml") == {"a": {"dns": ["x"]}, "b": {"tty": True}}


def test_reset_has_no_effect_on_one_item_and_says_so(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {volumes: [a:/a, b:/b]}}",
        b_yml="services: {web: {volumes: [!reset 'x:/a', c:/c]}}",
    )
    assert files.at(["services", "web", "volumes"], "a.yml", "b.yml") == ["a:/a", "b:/b", "c:/c"]
    assert files.notes("a.yml", "b.yml") == [
        "b.yml:1:28: services.web.volumes: !reset has no effect on one item of a list; tag the list"
    ]


def test_one_file_that_repeats_a_thing_is_left_to_the_checks(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {web: {volumes: [a:/a, b:/a]}}",
        b_yml="services: {web: {volumes: [c:/a, d:/a]}}",
    )
    assert files.at(["services", "web", "volumes"], "a.yml") == ["a:/a", "b:/a"]
    both = ["c:/a", "b:/a", "d:/a"]
    assert files.at(["services", "web", "volumes"], "a.yml", "b.yml") == both


def test_variables_are_put_in_before_files_are_merged(files: TreeFolder) -> None:
    files.request = files.request._replace(environment={"P": "80"})
    files.write(
        a_yml="services: {web: {ports: ['${P}:80']}}", b_yml="services: {web: {ports: ['80:$P']}}"
    )
    assert files.at(["services", "web", "ports"], "a.yml", "b.yml") == ["80:80"]


def test_a_variable_that_is_not_set_is_noted_once_for_all_files(files: TreeFolder) -> None:
    files.write(
        a_yml="services: {a: {image: 'x$T', user: '$U'}}", b_yml="services: {a: {image: 'y$T'}}"
    )
    assert files.notes("a.yml", "b.yml") == [
        "a.yml:1:23: services.a.image: variable T is not set, so it is taken as empty",
        "a.yml:1:36: services.a.user: variable U is not set, so it is taken as empty",
    ]


def test_without_interpolation_variables_stay(files: TreeFolder) -> None:
    files.request = files.request._replace(interpolate=False)
    files.write(a_yml="services: {a: {image: 'x$T'}}", b_yml="services: {a: {user: '${U?}'}}")
    assert files.at(["services", "a"], "a.yml", "b.yml") == {"image": "x$T", "user": "${U?}"}


@pytest.mark.parametrize("other", ["[]", "text", "5"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_file_that_is_no_mapping_is_what_is_left(
    files: TreeFolder, other: str, place: int
) -> None:
    texts = ["services: {a: {image: x}}", "services: {b: {image: x}}"]
    texts[place] = other
    files.write(a_yml=texts[0], b_yml=texts[1])
    root = files.assembled("a.yml", "b.yml").root
    assert not isinstance(root, tree.Mapping)
    assert root.position.file == "ab"[place] + ".yml"


def test_a_file_that_cannot_be_parsed_says_so_once(files: TreeFolder) -> None:
    files.write(a_yml="services: {a: {image: x}}", b_yml="services: [", c_yml="a: 1")
    (problem,) = files.problems("a.yml", "b.yml", "c.yml")
    assert problem.startswith("b.yml:2:1: not valid YAML")


def test_problems_stand_in_the_order_of_the_files(files: TreeFolder) -> None:
    files.request = files.request._replace(environment={})
    files.write(
        z_yml="services: {a: {image: '${X?}'}}",
        a_yml="services: {a: {user: '${X?}', image: '${}'}}",
    )
    assert [line.split(" ")[0] for line in files.problems("z.yml", "a.yml")] == [
        "z.yml:1:23:",
        "a.yml:1:22:",
        "a.yml:1:38:",
    ]


def test_merging_ends_before_it_takes_minutes(files: TreeFolder) -> None:
    items = ", ".join(["1"] * 1_000)
    names = [f"f{number}.yml" for number in range(40)]
    for name in names:
        files.write_at(name, f"x-own: [{items}]\n")
    assert files.problems(*names) == [
        f"f27.yml:1:8: x-own: merging takes more than {STEPS_MAX} values"
    ]


def test_ranges_of_ports_do_not_fill_the_memory(files: TreeFolder) -> None:
    ranges = ", ".join(["'1-1000:1-1000'"] * 100)
    files.write(
        a_yml=f"services: {{web: {{ports: [{ranges}]}}}}", b_yml="services: {web: {ports: ['1:1']}}"
    )
    ports = files.at(["services", "web", "ports"], "a.yml", "b.yml")
    assert isinstance(ports, list)
    assert len(ports) == 101


def test_the_values_of_all_files_count_together(files: TreeFolder) -> None:
    hundred, names = ", ".join(["1"] * 100), ", ".join(["*h"] * 600)
    text = f"x-hundred: &h [{hundred}]\n"
    files.write(a_yml=f"{text}x-a: [{names}]", b_yml=f"{text}x-b: [{names}]")
    assert files.problems("a.yml") == files.problems("b.yml") == []
    assert files.problems("a.yml", "b.yml") == [
        "b.yml:1:1: more than 100000 values, counting what extends and include repeat"
    ]
