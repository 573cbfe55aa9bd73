"""The schema of the Compose file: it is whole, it speaks clearly, and it refuses nothing good."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from stackctl.compose.problems import ProblemLog
from stackctl.compose.schema import check_schema, compose_schema
from stackctl.compose.syntax.yaml_tree import parse

SUBSCHEMAS = ("additionalProperties", "items", "propertyNames", "if", "then", "not")


def schema_problems(text: str) -> list[str]:
    """What the schema says about a file."""
    log = ProblemLog()
    check_schema(parse(textwrap.dedent(text), file="f", log=log), log)
    return [str(problem).removeprefix("f:") for problem in log.problems()]


def service_problems(body: str) -> list[str]:
    """What the schema says about the one service `web`; `body` begins in line 3, column 5."""
    body = textwrap.indent(textwrap.dedent(body), "    ")
    return schema_problems(f"services:\n  web:\n{body}\n")


def parts(schema: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema with the way to it."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword in SUBSCHEMAS:
        yield from parts(schema.get(keyword), f"{path}/{keyword}")
    for keyword in ("properties", "$defs"):
        for key, inner in schema.get(keyword, {}).items():
            yield from parts(inner, f"{path}/{keyword}/{key}")
    for index, inner in enumerate(schema.get("allOf", [])):
        yield from parts(inner, f"{path}/allOf/{index}")


PARTS = dict(parts(compose_schema()))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(compose_schema())


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    used = {part["$ref"].removeprefix("#/$defs/") for part in PARTS.values() if "$ref" in part}
    assert used == set(compose_schema()["$defs"])


def test_every_key_is_described() -> None:
    bare = []
    for path, part in PARTS.items():
        for key, inner in part.get("properties", {}).items():
            if "/then" in path or "/if" in path:
                continue
            target = PARTS["#/$defs/" + inner["$ref"].split("/")[-1]] if "$ref" in inner else {}
            described = inner.get("description") or target.get("description")
            if not described or not described.endswith((".", ")")):
                bare.append(f"{path}/{key}")
    assert bare == []


def test_every_example_in_it_is_accepted() -> None:
    wrong = [
        f"{path}: {example}"
        for path, part in PARTS.items()
        for example in part.get("examples", [])
        if not jsonschema.Draft202012Validator(
            {**part, "$defs": compose_schema()["$defs"]}
        ).is_valid(example)
    ]
    assert wrong == []


def test_every_pattern_says_in_words_what_it_wants() -> None:
    silent = [
        path
        for path, part in PARTS.items()
        if "pattern" in part and "patternErrorMessage" not in part
    ]
    assert silent == []
    for part in PARTS.values():
        re.compile(part.get("pattern", ""))


def test_mappings_are_closed_but_for_the_users_own_keys() -> None:
    opened = [
        path
        for path, part in PARTS.items()
        if "properties" in part
        and "/if" not in path
        and "/then" not in path
        and (
            part.get("additionalProperties", True) is True or "^x-" not in part["patternProperties"]
        )
    ]
    assert opened == []


MISTAKES = """
imag: x
3:5: imag: unknown key; did you mean image?

image: 5
3:12: image: must be text, not a number (5); put it in quotes

image:
3:5: image: has no value; text is expected; give one or remove the key

user: 1000
3:11: user: must be text, not a number (1000); put it in quotes

init: maybe
3:11: init: must be true or false, not text (maybe)

restart: never
3:14: restart: must be no, always, unless-stopped or on-failure[:N], not text (never)

networks: 5
3:15: networks: must be a mapping or a list, not a number (5)

ports: [80, x]
3:17: ports[1]: must be a port such as 80, 8080:80 or 53:53/udp, not text (x)

ports: [{published: 80}]
3:13: ports[0]: no target is given; add target:

ports: [{target: 80, mode: in}]
3:32: ports[0].mode: must be ingress or host, not text (in)

volumes: [{type: bind, volume: {}}]
3:36: volumes[0].volume: does not fit type bind

volumes: ['']
3:15: volumes[0]: is empty

environment: {A: [1]}
3:22: environment.A: must be text, a number or true or false, not a list

deploy: {replicas: -1}
3:24: deploy.replicas: must be at least 0, not a number (-1)

deploy: {update_config: {max_failure_ratio: 2}}
3:49: deploy.update_config.max_failure_ratio: must be at most 1, not a number (2)

stop_grace_period: 5x
3:24: stop_grace_period: must be a duration such as 30s, 1m30s or 500ms, not text (5x)

depends_on: {db: {}}
3:22: depends_on.db: no condition is given; add condition:
"""


@pytest.mark.parametrize("mistake", MISTAKES.strip().split("\n\n"))
def test_mistakes_are_named_at_their_place(mistake: str) -> None:
    body, problem = mistake.split("\n")
    assert [line.replace("services.web.", "") for line in service_problems(body)] == [problem]


def test_names_of_services_are_checked_where_they_stand() -> None:
    assert schema_problems("services:\n  a b: {}\n") == [
        "2:3: services.a b: a name has letters, digits, ., _ and - only"
    ]


def test_all_mistakes_are_told_in_file_order() -> None:
    found = service_problems("init: maybe\nuser: 1\nread_only: 5\n")
    assert [line.split(":")[0] for line in found] == ["3", "4", "5"]


def test_what_could_not_be_read_is_told_once() -> None:
    log = ProblemLog()
    check_schema(parse("services: {web: *nothing}", file="f", log=log), log)
    check_schema(parse("a: [", file="f", log=log), log)
    assert ["unknown anchor" in str(log.problems()[0]), len(log.problems())] == [True, 2]


@pytest.mark.parametrize(
    "body",
    [
        "deploy: {replicas: '${REPLICAS:-2}'}",
        "init: ${INIT}",
        "stop_grace_period: ${GRACE}",
        "x-mine: [anything, {at: all}]",
        "ports: ['${PORT}:80']",
        "build: .",
        "command: null",
        "networks: {front: }",
    ],
)
def test_what_people_write_is_accepted(body: str) -> None:
    assert service_problems(body) == []
