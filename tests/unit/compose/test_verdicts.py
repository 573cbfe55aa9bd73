"""The table of verdicts: no key is missing from it, and what it refuses never reaches a reader."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.compose.printing.yaml_text import Plain, to_yaml
from stackctl.compose.problems import ProblemLog
from stackctl.compose.schema import compose_schema
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.yaml_tree import parse
from stackctl.compose.verdicts.judge import enforce, judge, steps_of
from stackctl.compose.verdicts.rules import Kind, Rule, Target
from stackctl.compose.verdicts.table import RULES, keys_of
from tests.unit.compose.compose_mappings import compose_files

KEYS = frozenset(key for rule in RULES for key in keys_of(rule))


def table_steps() -> frozenset[tuple[str, ...]]:
    """Every path of the table with all that lead to it."""
    paths = (steps_of(key) for key in KEYS)
    return frozenset(path[:length] for path in paths for length in range(1, len(path) + 1))


def schema_steps(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key that the schema declares."""
    if "$ref" in schema:
        schema = compose_schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for key, inner in schema.get("properties", {}).items():
        yield (*path, key)
        if key != "x-cluster-spec":  # refused as a whole, whatever it says
            yield from schema_steps(inner, (*path, key))
    for keyword, step in (("additionalProperties", "*"), ("items", "[]")):
        if isinstance(schema.get(keyword), dict):
            yield from schema_steps(schema[keyword], (*path, step))


def tree_of(text: str) -> tree.Node:
    log = ProblemLog()
    root = parse(text, file="stack.yml", log=log)
    assert log.problems() == ()
    return root


def test_every_key_of_the_schema_has_a_verdict() -> None:
    missing = set(schema_steps(compose_schema())) - table_steps()
    assert not sorted(".".join(path) for path in missing)


def test_every_key_of_the_table_is_in_the_schema() -> None:
    unknown = {
        path
        for path in table_steps() - set(schema_steps(compose_schema()))
        if path[-1] not in "*[]" and not any(step.startswith("x-") for step in path)
    }
    assert not sorted(".".join(path) for path in unknown)


REFUSED = """
services:
  web:
    image: busybox
    external_links: [other]
    ports: ["127.0.0.1:80:80", "81:81", {target: 82, host_ip: 10.0.0.1}, {host_ip: "::"}]
    network_mode: service:db
    volumes: [data:/data, {type: npipe, source: a, target: /pipe}]
    x-external_links: [mine]
volumes:
  data: {driver: local, x-cluster-spec: {}}
"""


def test_what_a_cluster_refuses_is_a_problem_at_the_place_of_the_key() -> None:
    root = tree_of(REFUSED)
    log = ProblemLog()
    judged = judge(root, Target.CLUSTER)
    assert enforce(root, judged, log, target=Target.CLUSTER, lenient=False) is root
    assert [str(problem).split(": cannot")[0] for problem in log.problems()] == [
        "stack.yml:5:5: services.web.external_links",
        "stack.yml:6:13: services.web.ports[0]",
        "stack.yml:6:41: services.web.ports[2]",
        "stack.yml:7:5: services.web.network_mode",
        "stack.yml:8:27: services.web.volumes[1]",
        "stack.yml:11:25: volumes.data.x-cluster-spec",
    ]
    assert all(problem.hint for problem in log.problems())
    assert log.notes() == ()


def test_leniently_it_is_a_note_and_the_rest_of_the_file_stays() -> None:
    root = tree_of(REFUSED)
    log = ProblemLog()
    pruned = enforce(root, judge(root, Target.CLUSTER), log, target=Target.CLUSTER, lenient=True)
    assert log.problems() == ()
    assert not any(each.verdict.kind is Kind.REFUSED for each in judge(pruned, Target.CLUSTER))
    assert len(log.notes()) == 6
    first = str(log.notes()[0])
    assert first.startswith("stack.yml:5:5: services.web.external_links: ignored, as it cannot be ")
    assert isinstance(pruned, tree.Mapping)
    services = pruned.entries["services"].value
    assert isinstance(services, tree.Mapping)
    web = services.entries["web"].value
    assert isinstance(web, tree.Mapping)
    assert list(web.entries) == ["image", "ports", "volumes", "x-external_links"]
    ports = web.entries["ports"].value
    assert isinstance(ports, tree.Sequence)
    assert len(ports.items) == 2


def test_what_would_be_exposed_is_refused_leniently_too() -> None:
    root = tree_of("networks: {front: {driver_opts: {encrypted: ''}}}")
    log = ProblemLog()
    judged = judge(root, Target.CLUSTER)
    assert enforce(root, judged, log, target=Target.CLUSTER, lenient=True) == root
    assert [problem.message for problem in log.problems()] == [
        "cannot be honoured in a cluster: overlay traffic is not encrypted"
    ]


def test_one_host_shares_what_a_cluster_cannot() -> None:
    judged = judge(tree_of(REFUSED), Target.LOCAL)
    refused = [each.place.path for each in judged if each.verdict.kind is Kind.REFUSED]
    assert refused == [
        ("services", "web", "volumes", 1),
        ("volumes", "data", "x-cluster-spec"),
    ]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(compose_files, st.sampled_from(Target))
def test_nothing_that_leniency_leaves_out_is_refused_again(mapping: Plain, target: Target) -> None:
    root = tree_of(to_yaml(mapping))
    judged = judge(root, target)
    pruned = enforce(root, judged, ProblemLog(), target=target, lenient=True)
    left = [each for each in judge(pruned, target) if each.verdict.kind is Kind.REFUSED]
    assert all(each.verdict.firm for each in left)
    honoured = [each.place for each in judged if each.verdict.kind is not Kind.REFUSED]
    # Behind an item that is left out, the later ones of its list move up: places, not paths.
    positions = [each.place.position for each in judge(pruned, target) if each not in left]
    assert positions == [place.position for place in honoured]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern)
def test_a_refusal_says_why_and_what_to_write_instead(rule: Rule) -> None:
    for target in Target:
        verdict = rule.verdict(target)
        if verdict.kind is not Kind.HONOURED:
            assert verdict.text
        assert bool(verdict.fix) == (verdict.kind is Kind.REFUSED)


def test_of_rules_for_one_key_only_the_last_is_for_every_value() -> None:
    seen: dict[str, bool] = {}
    for rule in RULES:
        assert not seen.get(rule.pattern), rule.pattern
        seen[rule.pattern] = rule.when is None
