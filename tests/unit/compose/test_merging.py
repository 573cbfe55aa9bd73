"""Files over each other: one claim for each rule of the table, with tags and places."""

from pathlib import Path

import pytest

from stackctl.compose.merging.rules import RULES
from stackctl.compose.problems import ComposeProblems
from stackctl.compose.syntax import tree
from tests.unit.compose.tree_folder import TreeFolder

STARTED = {"condition": "service_started", "required": True}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeFolder:
    monkeypatch.chdir(tmp_path)
    found = TreeFolder(tmp_path)
    found.request = found.request._replace(profiles=["*"])
    return found


def merged(files: TreeFolder, path: str, earlier: str, later: str) -> object:
    """What two files make of the value at a path that has `*` for web."""
    keys = path.replace("*", "web").split(".")
    for name, text in (("a.yml", earlier), ("b.yml", later)):
        nested = f"{{{keys[-1]}: {text}}}"
        for key in reversed(keys[1:-1]):
            nested = f"{{{key}: {nested}}}"
        files.write_at(name, f"{keys[0]}: {nested}\n")
    return files.at(keys, "a.yml", "b.yml")


SERVICE_NAMED = ("annotations", "build.labels", "deploy.labels", "environment", "labels", "sysctls")
NAMED = [
    *(f"services.*.{key}" for key in SERVICE_NAMED),
    *("services.*.build.args", "services.*.build.additional_contexts"),
    *("networks.*.labels", "networks.*.ipam.options", "volumes.*.labels"),
    *("secrets.*.labels", "configs.*.labels"),
]


@pytest.mark.parametrize("path", NAMED)
@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("{A: 1, B: 2}", "{B: 3, C: 4}", {"A": 1, "B": 3, "C": 4}),
        ("[A=1, B=2]", "[B=3, C=4]", ["A=1", "B=3", "C=4"]),
        ("{A: 1.10, B: true, C: }", "[B=3]", ["A=1.1", "B=3", "C"]),
        ("[A=1, B=2, C=3]", "{B: 3.0, C: }", ["A=1", "B=3", "C"]),
        ("{A: 1}", "{A: }", {"A": None}),
        ("{A: 1}", "null", {"A": 1}),
        ("{A: 1, B: 2}", "{A: !reset null, B: 3}", {"B": 3}),
        ("[A=1, B=2]", "{A: !reset null, B: 3}", ["B=3"]),
        ("{A: 1}", "!override {B: 2}", {"B": 2}),
        ("{A: 1}", "!reset null", None),
    ],
)
def test_names_with_values_are_merged_by_name_whichever_form_they_have(
    files: TreeFolder, path: str, earlier: str, later: str, result: object
) -> None:
    assert merged(files, path, earlier, later) == result


@pytest.mark.parametrize(
    "path", ["services.*.command", "services.*.entrypoint", "services.*.healthcheck.test"]
)
@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("[a, b]", "[c]", ["c"]),
        ("[a, b]", "c d", "c d"),
        ("a b", "[c]", ["c"]),
        ("[a]", "[]", []),
        ("[a]", "''", ""),
        ("[a]", "null", None),
    ],
)
def test_commands_are_replaced_as_a_whole_also_by_nothing(
    files: TreeFolder, path: str, earlier: str, later: str, result: object
) -> None:
    assert merged(files, path, earlier, later) == result


@pytest.mark.parametrize(
    ("path", "earlier", "later", "result"),
    [
        ("services.*.ulimits", "{n: {soft: 1, hard: 2}}", "{n: {soft: 3}}", {"n": {"soft": 3}}),
        ("services.*.ulimits", "{n: {soft: 1, hard: 2}}", "{n: 5, p: 1}", {"n": 5, "p": 1}),
        ("services.*.ulimits", "{n: 5}", "{n: {soft: 1}}", {"n": {"soft": 1}}),
        # one text or a list
        ("services.*.dns", "1.1.1.1", "[2.2.2.2, 1.1.1.1]", ["1.1.1.1", "2.2.2.2"]),
        ("services.*.dns_search", "[a, b]", "c", ["a", "b", "c"]),
        ("services.*.dns_opt", "[timeout:3, 'x=1']", "['x=2']", ["timeout:3", "x=2"]),
        ("services.*.tmpfs", "/run", "['/run:size=1m', /t]", ["/run:size=1m", "/t"]),
        ("services.*.label_file", "a", "[b, a]", ["a", "b"]),
        (
            "services.*.env_file",
            "a.env",
            "[{path: a.env, required: false}, b.env]",
            [{"path": "a.env", "required": False}, "b.env"],
        ),
        # lists of texts
        *(
            (f"services.*.{key}", "[a, b]", "[c, a]", ["a", "b", "c"])
            for key in (
                *("cap_add", "cap_drop", "device_cgroup_rules", "expose", "external_links"),
                *("group_add", "links", "profiles", "security_opt", "volumes_from", "build.tags"),
                *("networks.n.aliases", "networks.n.link_local_ips"),
            )
        ),
        ("services.*.expose", "[80]", "['80', 81]", ["80", 81]),
        # lists without an identity
        (
            "services.*.deploy.placement.constraints",
            "[node.role == worker]",
            "[node.role == worker, a]",
            ["node.role == worker", "node.role == worker", "a"],
        ),
        ("services.*.build.cache_from", "[a]", "[a]", ["a", "a"]),
        ("services.*.develop.watch", "[{path: a}]", "[{path: a}]", [{"path": "a"}, {"path": "a"}]),
        (
            "services.*.post_start",
            "[{command: a}]",
            "[{command: b}]",
            [{"command": "a"}, {"command": "b"}],
        ),
        ("services.*.gpus", "all", "[{count: 1}]", [{"count": 1}]),
        # hosts
        (
            "services.*.extra_hosts",
            "['a:1.1.1.1', 'b=::1']",
            "['a=1.1.1.1', 'b:[::1]', 'a=2.2.2.2']",
            ["a=1.1.1.1", "b:[::1]", "a=2.2.2.2"],
        ),
        (
            "services.*.extra_hosts",
            "{a: 1.1.1.1, b: [2.2.2.2, '::1']}",
            "[c=3.3.3.3]",
            ["a=1.1.1.1", "b=2.2.2.2", "b=::1", "c=3.3.3.3"],
        ),
        ("services.*.build.extra_hosts", "[a=1]", "{a: 1, b: 2}", ["a=1", "b=2"]),
        # short forms spelt out
        ("services.*.build", ".", "{target: x}", {"context": ".", "target": "x"}),
        ("services.*.build", "{context: a, target: x}", "./b", {"context": "./b", "target": "x"}),
        (
            "services.*.depends_on",
            "[a, b]",
            "{b: {condition: service_healthy}}",
            {"a": STARTED, "b": {"condition": "service_healthy", "required": True}},
        ),
        (
            "services.*.depends_on",
            "{a: {condition: service_healthy, restart: true}}",
            "[a]",
            {"a": {"condition": "service_started", "restart": True, "required": True}},
        ),
        (
            "services.*.networks",
            "[a, b]",
            "{b: {aliases: [x]}, c: }",
            {"a": None, "b": {"aliases": ["x"]}, "c": None},
        ),
        ("services.*.networks", "{a: {priority: 1}}", "[a, b]", {"a": {"priority": 1}, "b": None}),
        ("services.*.models", "[a]", "{a: {endpoint_var: X}}", {"a": {"endpoint_var": "X"}}),
        # logging
        (
            "services.*.logging",
            "{driver: a, options: {x: 1, y: 2}}",
            "{driver: a, options: {y: 3}}",
            {"driver": "a", "options": {"x": 1, "y": 3}},
        ),
        (
            "services.*.logging",
            "{driver: a, options: {x: 1}}",
            "{options: {y: 3}}",
            {"driver": "a", "options": {"x": 1, "y": 3}},
        ),
        (
            "services.*.logging",
            "{options: {x: 1}}",
            "{driver: b}",
            {"options": {"x": 1}, "driver": "b"},
        ),
        (
            "services.*.logging",
            "{driver: a, options: {x: 1}}",
            "{driver: b, options: {y: 3}}",
            {"driver": "b", "options": {"y": 3}},
        ),
        # address pools
        (
            "networks.*.ipam.config",
            "[{subnet: 10.0.0.0/8, gateway: 10.0.0.1}, {subnet: 11.0.0.0/8}]",
            "[{subnet: 11.0.0.0/8, ip_range: 11.1.0.0/16}, {subnet: 12.0.0.0/8}]",
            [
                {"subnet": "10.0.0.0/8", "gateway": "10.0.0.1"},
                {"subnet": "11.0.0.0/8", "ip_range": "11.1.0.0/16"},
                {"subnet": "12.0.0.0/8"},
            ],
        ),
    ],
)
def test_keys_with_a_rule_of_their_own(
    files: TreeFolder, path: str, earlier: str, later: str, result: object
) -> None:
    assert merged(files, path, earlier, later) == result


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("['80:80']", "['80:80/tcp', '81:80']", ["80:80/tcp", "81:80"]),
        ("['80:80']", "['0.0.0.0:80:80']", ["0.0.0.0:80:80"]),
        ("['80:80']", "['80:80/udp']", ["80:80", "80:80/udp"]),
        ("['127.0.0.1:80:80']", "['80:80']", ["127.0.0.1:80:80", "80:80"]),
        ("['[::1]:80:80']", "['::1:80:80']", ["::1:80:80"]),
        ("[80, '81']", "['80', 81]", ["80", 81]),
        (
            "['80:80', '90:90']",
            "[{target: 80, published: 80, mode: host}]",
            [{"target": 80, "published": 80, "mode": "host"}, "90:90"],
        ),
        (
            "[{target: 80, published: '8080', protocol: TCP, name: x}]",
            "['8080:80']",
            ["8080:80"],
        ),
        (
            "['8000-8002:9000-9002/udp']",
            "[{target: 9001, published: 8001, protocol: udp, mode: host}]",
            [
                "8000:9000/udp",
                {"target": 9001, "published": 8001, "protocol": "udp", "mode": "host"},
                "8002:9002/udp",
            ],
        ),
        ("['8000-8005:80']", "['8000-8005:80', '1:1']", ["8000-8005:80", "1:1"]),
        (
            "['1-9:1-2', nonsense:x:y:z]",
            "[{published: 1}]",
            ["1-9:1-2", "nonsense:x:y:z", {"published": 1}],
        ),
    ],
)
def test_ports_are_the_same_by_address_published_target_and_protocol(
    files: TreeFolder, earlier: str, later: str, result: object
) -> None:
    assert merged(files, "services.*.ports", earlier, later) == result


@pytest.mark.parametrize(
    ("key", "earlier", "later", "result"),
    [
        ("volumes", "[a:/d, /x]", "['b:/d/:ro', './x:/y']", ["b:/d/:ro", "/x", "./x:/y"]),
        (
            "volumes",
            "[a:/d]",
            "[{type: bind, source: ., target: /d}]",
            [{"type": "bind", "source": ".", "target": "/d"}],
        ),
        ("volumes", "[{target: /d, type: tmpfs}]", "[/d]", ["/d"]),
        ("devices", "[/dev/a]", "['/dev/b:/dev/a:r', /dev/c]", ["/dev/b:/dev/a:r", "/dev/c"]),
        (
            "devices",
            "['/dev/b:/x']",
            "[{source: /y, target: /x}]",
            [{"source": "/y", "target": "/x"}],
        ),
        ("devices", "[v/c=d]", "[v/c=d]", ["v/c=d"]),
        ("configs", "[a, b]", "[{source: c, target: /a}]", [{"source": "c", "target": "/a"}, "b"]),
        ("configs", "[{source: a}]", "[a]", ["a"]),
        (
            "secrets",
            "[a]",
            "[{source: c, target: /run/secrets/a}]",
            [{"source": "c", "target": "/run/secrets/a"}],
        ),
        ("secrets", "[{source: b, target: a}]", "[a]", ["a"]),
    ],
)
def test_mounts_and_devices_are_the_same_by_their_place_in_the_container(
    files: TreeFolder, key: str, earlier: str, later: str, result: object
) -> None:
    assert merged(files, f"services.*.{key}", earlier, later) == result


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("{a: [1]}", "{a: [1, 2]}", {"a": [1, 1, 2]}),
        ("{a: 1}", "{a: 2}", {"a": 2}),
        ("{a: true}", "{a: false}", {"a": False}),
        ("{a: {b: 1}}", "{a: }", {"a": {"b": 1}}),
        ("{a: 5}", "{a: ~}", {"a": 5}),
        ("{a: }", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{a: 5}", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{a: 5}", "{a: [1]}", {"a": [1]}),
        ("{a: {b: 1}}", "{a: !override {c: 2}}", {"a": {"c": 2}}),
        ("{a: {b: 1}}", "{a: !override 5}", {"a": 5}),
        ("{a: {b: 1}, c: 1}", "{a: !reset {}}", {"c": 1}),
        ("{c: 1}", "{a: !reset {}}", {"c": 1}),
        ("{a: {b: {c: 1, d: 2}}}", "{a: {b: {c: !reset null}}}", {"a": {"b": {"d": 2}}}),
    ],
)
def test_the_general_rule_with_its_tags(
    files: TreeFolder, earlier: str, later: str, result: object
) -> None:
    assert merged(files, "services.*.deploy", earlier, later) == result


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("{a: [1]}", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{a: {b: [1]}}", "{a: {b: 2}}", {"a": {"b": 2}}),
    ],
)
@pytest.mark.parametrize("path", ["x-own", "services.*.x-own", "networks.n.x-own"])
def test_the_users_own_keys_may_change_their_kind(
    files: TreeFolder, path: str, earlier: str, later: str, result: object
) -> None:
    path = path.replace("x-own", "x-own.own")
    assert merged(files, path, earlier, later) == result


def test_a_service_may_be_called_like_an_extension(files: TreeFolder) -> None:
    assert merged(files, "services.x-web.command", "[a]", "[b]") == ["b"]


@pytest.mark.parametrize(
    ("path", "earlier", "later", "kinds"),
    [
        ("services.*.deploy", "{a: 1}", "[1]", ("a list", "a mapping")),
        ("services.*.deploy", "{a: 1}", "5", ("a number", "a mapping")),
        ("services.*.gpus", "[1]", "all", ("text", "a list")),
        ("services.*.ports", "[1]", "{a: 1}", ("a mapping", "a list")),
        ("services.*.networks", "{a: }", "b", ("text", "a mapping")),
        ("services.*.logging", "{a: 1}", "[1]", ("a list", "a mapping")),
        ("networks.*.ipam.config", "[]", "{a: b}", ("a mapping", "a list")),
    ],
)
def test_what_cannot_be_merged_is_told_with_both_places(
    files: TreeFolder, path: str, earlier: str, later: str, kinds: tuple[str, str]
) -> None:
    with pytest.raises(ComposeProblems) as caught:
        merged(files, path, earlier, later)
    (problem,) = caught.value.problems
    path = path.replace("*", "web")
    where = f"{problem.place.position.line}:{problem.place.position.column}"
    assert str(problem) == (
        f"b.yml:{where}: {path}: is {kinds[0]} here and {kinds[1]} in a.yml:{where}, which cannot "
        "be merged; write both alike, or put !override before the later one"
    )


def test_every_value_keeps_the_place_of_the_file_that_wrote_it(files: TreeFolder) -> None:
    files.write(
        a_yml="""\
        services:
          web:
            image: a
            environment: {A: 1, B: 2}
        """,
        b_yml="""\
        services:
          web:
            environment:
            - B=3
            user: x
        """,
    )
    root = files.assembled("a.yml", "b.yml").root
    assert isinstance(root, tree.Mapping)
    web = root.entries["services"].value
    assert isinstance(web, tree.Mapping)
    service = web.entries["web"].value
    assert isinstance(service, tree.Mapping)
    assert service.entries["image"].value.position == ("a.yml", 3, 12)
    assert service.entries["user"].key_position == ("b.yml", 5, 5)
    environment = service.entries["environment"].value
    assert isinstance(environment, tree.Sequence)
    assert [item.position for item in environment.items] == [("a.yml", 4, 22), ("b.yml", 4, 7)]


def test_no_rule_of_the_table_is_without_a_test() -> None:
    source = Path(__file__).read_text()
    untested = [
        pattern
        for pattern in RULES
        if pattern.removeprefix("services.*.").split(".")[-1] not in source
    ]
    assert untested == []
