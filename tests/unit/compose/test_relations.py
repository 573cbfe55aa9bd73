"""depends_on, links, external_links, volumes_from, and what they imply."""

import pytest

from stackctl.compose.dependencies import dependencies_of, dependency_specs
from stackctl.compose.parts.relations import Condition, Dependency
from stackctl.model import specs
from tests.unit.compose.document_reading import DocumentText, read_service, service_problems

Row = tuple[str, Condition, bool, bool, str]


def rows(dependencies: tuple[Dependency, ...]) -> list[Row]:
    return [
        (found.key, found.condition, found.restart, found.required, found.implied_by)
        for found in dependencies
    ]


def test_a_list_waits_for_the_start() -> None:
    assert rows(read_service("depends_on: [db, cache]").depends_on) == [
        ("db", Condition.STARTED, False, True, ""),
        ("cache", Condition.STARTED, False, True, ""),
    ]


def test_a_mapping_says_what_is_waited_for() -> None:
    body = """
    depends_on:
      db: {condition: service_healthy, restart: true}
      setup: {condition: service_completed_successfully, required: 'false'}
      cache: {condition: service_started, x-why: speed}
    """
    assert rows(read_service(body).depends_on) == [
        ("db", Condition.HEALTHY, True, True, ""),
        ("setup", Condition.COMPLETED, False, False, ""),
        ("cache", Condition.STARTED, False, True, ""),
    ]


def test_other_keys_imply_an_order_and_depends_on_wins() -> None:
    body = """
    depends_on: {linked: {condition: service_healthy}}
    links: [linked, 'other:o']
    network_mode: service:front
    ipc: service:shared
    pid: host
    volumes_from: ['data:ro', 'container:outside']
    """
    assert rows(dependencies_of(read_service(body))) == [
        ("linked", Condition.HEALTHY, False, True, ""),
        ("other", Condition.STARTED, True, True, "links"),
        ("front", Condition.STARTED, True, True, "network_mode"),
        ("shared", Condition.STARTED, True, True, "ipc"),
        ("data", Condition.STARTED, False, True, "volumes_from"),
    ]


def test_an_implied_dependency_is_where_its_key_is() -> None:
    (found,) = dependencies_of(read_service("network_mode: service:front"))
    assert found.place.path == ("services", "web", "network_mode")
    assert found.place.position.line == 4


def test_the_cluster_gets_full_names_in_one_order() -> None:
    body = "depends_on: {z: {condition: service_healthy, restart: true}, a: {condition: x}}"
    text = body.replace("condition: x", "condition: service_completed_successfully, required: no")
    assert dependency_specs(read_service(text), "shop") == (
        specs.Dependency(
            service="shop_a", condition=specs.DependencyCondition.COMPLETED, required=False
        ),
        specs.Dependency(
            service="shop_z", condition=specs.DependencyCondition.HEALTHY, restart=True
        ),
    )


def test_links_have_an_alias() -> None:
    service = read_service("links: [db, 'db:data', db]\nexternal_links: [old, 'old_1:mysql']")
    assert [(link.key, link.alias) for link in service.links] == [("db", "db"), ("db", "data")]
    found = [(link.container, link.alias) for link in service.external_links]
    assert found == [("old", "old"), ("old_1", "mysql")]


def test_volumes_come_from_services_and_containers() -> None:
    body = "volumes_from: [a, 'b:ro', 'c:rw', 'container:d', 'container:e:ro']"
    found = read_service(body).volumes_from
    assert [(use.source, use.is_container, use.read_only) for use in found] == [
        ("a", False, False),
        ("b", False, True),
        ("c", False, False),
        ("d", True, False),
        ("e", True, True),
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("depends_on: db", "4:17: services.web.depends_on: must be a list or a mapping of"),
        ("depends_on: [db, db]", "4:22: services.web.depends_on[1]: service db is named twice"),
        (
            "depends_on: {db: {restart: true}}",
            (
                "4:18: services.web.depends_on.db: no condition is given; "
                "add condition: service_started"
            ),
        ),
        (
            "depends_on: {db: {condition: healthy}}",
            (
                "4:34: services.web.depends_on.db.condition: healthy is no condition; "
                "did you mean service_healthy?"
            ),
        ),
        (
            "depends_on: {db: {condition: service_helthy}}",
            (
                "4:34: services.web.depends_on.db.condition: must be service_started, "
                "service_healthy or service_completed_successfully, not text (service_helthy); "
                "did you mean service_healthy?"
            ),
        ),
        ("depends_on: {db: }", "4:18: services.web.depends_on.db: has no value; a mapping with"),
        (
            "depends_on: {db: {condition: service_started, requird: true}}",
            "4:51: services.web.depends_on.db.requird: unknown key; did you mean required?",
        ),
        ("links: ['a:']", "4:13: services.web.links[0]: 'a:' is not SERVICE[:ALIAS]"),
        ("links: ['a:b:c']", "4:13: services.web.links[0]: 'a:b:c' is not SERVICE[:ALIAS]"),
        ("links: [':b']", "4:13: services.web.links[0]: ':b' is not SERVICE[:ALIAS]"),
        ("external_links: [a, a]", "4:25: services.web.external_links[1]: a is named twice"),
        (
            "volumes_from: ['a:no']",
            (
                "4:20: services.web.volumes_from[0]: 'a:no' is neither SERVICE[:ro] nor "
                "container:NAME[:ro]; after the name comes ro or rw"
            ),
        ),
        (
            "volumes_from: ['container:']",
            "4:20: services.web.volumes_from[0]: 'container:' is neither",
        ),
        ("volumes_from: [a, 'a:ro']", "4:23: services.web.volumes_from[1]: a is named twice"),
    ],
)
def test_mistakes_in_relations(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert found.startswith(problem)


def test_a_broken_value_is_told_once() -> None:
    text = "services: {web: {image: x, depends_on: [5], links: [true]}}"
    assert len(DocumentText(text).problems) == 2
