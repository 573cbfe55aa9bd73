"""What is printed reads back to the same document, and printing that again changes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings

from stackctl.compose.document import Document
from stackctl.compose.printing.canonical import document_mapping, to_text, tree_mapping
from stackctl.compose.printing.hashing import service_hash
from stackctl.compose.printing.yaml_text import Plain
from stackctl.compose.problems import Place, ProblemLog
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax.interpolate import Variables, interpolate
from stackctl.compose.syntax.yaml_tree import parse
from tests.unit.compose.compose_mappings import compose_files

VARIABLES = {"HOME": "/home/somebody", "INHERITED": "from $outside"}
STACK = "shop"


def read(text: str) -> tuple[Document, list[str]]:
    """The document of a text, and what is wrong with it."""
    log = ProblemLog()
    root = parse(text, file="stack.yml", log=log)
    root = interpolate(root, Variables(VARIABLES, file=".env", log=log), log)
    reading = Reading(log=log, base=Path("/stack"), variables=VARIABLES.get)
    document = read_document(Value(root, path=(), reading=reading), STACK)
    return document, [str(problem) for problem in log.problems()]


def printed(document: Document, *, as_json: bool = False) -> str:
    return to_text(document_mapping(document, STACK), as_json=as_json)


def without_places(value: Any) -> Any:
    """A document as nested tuples and mappings, all places left out."""
    if isinstance(value, Place):
        return None
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return {name: without_places(inner) for name, inner in fields.items()}
    if isinstance(value, Mapping):
        found = {name: without_places(inner) for name, inner in value.items()}
        return None if found and all(isinstance(it, Place) for it in value.values()) else found
    if isinstance(value, tuple | list):
        return tuple(without_places(inner) for inner in value)
    return value


def check_reads_back(document: Document) -> None:
    for as_json in (False, True):
        text = printed(document, as_json=as_json)
        again, problems = read(text)
        assert problems == [], text
        assert without_places(again) == without_places(document), text
        assert printed(again, as_json=as_json) == text


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(compose_files)
def test_every_document_reads_back_as_it_was(mapping: Plain) -> None:
    document, problems = read(to_text(mapping, as_json=False))
    assume(not problems)
    check_reads_back(document)


def test_the_forms_are_long_and_what_says_nothing_is_left_out() -> None:
    document, problems = read(
        "services:\n"
        "  web:\n"
        "    image: nginx\n"
        "    command: echo '$$HOME'\n"
        "    environment: [A=1, INHERITED, NOT_SET]\n"
        "    ports: ['8000-8001:80', 90]\n"
        "    volumes: [data:/data:ro, ./conf:/conf]\n"
        "    tty: false\n"
        "    mem_limit: 64M\n"
        "    stop_grace_period: 90s\n"
        "    depends_on: [db]\n"
        "    x-note: {any: thing}\n"
        "  db: {image: postgres, network_mode: host}\n"
        "volumes: {data: }\n"
    )
    assert problems == []
    assert printed(document) == (
        "name: shop\n"
        "services:\n"
        "  web:\n"
        "    command:\n"
        "      - echo\n"
        "      - $$HOME\n"
        "    depends_on:\n"
        "      db:\n"
        "        condition: service_started\n"
        "    deploy:\n"
        "      resources:\n"
        "        limits:\n"
        "          memory: 67108864\n"
        "    environment:\n"
        '      A: "1"\n'
        "      INHERITED: from $$outside\n"
        "    image: nginx\n"
        "    networks:\n"
        "      default: null\n"
        "    ports:\n"
        '      - published: "8000-8001"\n'
        "        target: 80\n"
        "      - target: 90\n"
        "    stop_grace_period: 1m30s\n"
        "    volumes:\n"
        "      - read_only: true\n"
        "        source: data\n"
        "        target: /data\n"
        "        type: volume\n"
        "      - source: /stack/conf\n"
        "        target: /conf\n"
        "        type: bind\n"
        "    x-note:\n"
        "      any: thing\n"
        "  db:\n"
        "    image: postgres\n"
        "    network_mode: host\n"
        "volumes:\n"
        "  data:\n"
        "    name: shop_data\n"
    )


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ("build: .", True),
        ("depends_on: [db]", True),
        ("profiles: [debug]", True),
        ("pull_policy: always", True),
        ("deploy: {replicas: 5}", True),
        ("labels: {a: b}", False),
        ("environment: {A: ''}", False),
        ("init: false", False),
        ("deploy: {replicas: 5, resources: {limits: {pids: 7}}}", False),
    ],
)
def test_a_hash_changes_with_what_makes_containers(change: str, is_same: bool) -> None:
    before, _ = read("services: {web: {image: nginx}}")
    after, problems = read(f"services:\n  web:\n    image: nginx\n    {change}\n")
    assert problems == []
    assert (service_hash(before.services[0]) == service_hash(after.services[0])) == is_same


def test_a_merged_tree_is_printed_as_it_is_written() -> None:
    text = "version: '3'\nx-a: 1\nservices:\n  web: {image: 'nginx:${TAG:-1}', ports: ['80:80']}\n"
    root = parse(text, file="stack.yml", log=ProblemLog())
    mapping = tree_mapping(root, STACK)
    assert to_text(mapping, as_json=False, keeps_variables=True) == (
        "name: shop\n"
        "services:\n"
        "  web:\n"
        '    image: "nginx:${TAG:-1}"\n'
        "    ports:\n"
        '      - "80:80"\n'
        "x-a: 1\n"
    )
