"""Top-level networks, volumes and configs, and how services use them."""

import pytest

from stackctl.model.specs import ConfigReference, ConfigSpec, NetworkAttachment, NetworkSpec
from tests.unit.compose.stack_folder import StackFolder

NAMESPACE = {"com.docker.stack.namespace": "shop"}


def network(stack: StackFolder, settings: str) -> NetworkSpec:
    text = f"services: {{web: {{image: x, networks: [n]}}}}\nnetworks: {{n: {settings}}}\n"
    return stack.load(text).networks[0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", NetworkSpec(name="shop_n", labels=NAMESPACE)),
        ("{}", NetworkSpec(name="shop_n", labels=NAMESPACE)),
        ("{driver: overlay}", NetworkSpec(name="shop_n", labels=NAMESPACE)),
        ("{external: false}", NetworkSpec(name="shop_n", labels=NAMESPACE)),
        ("{name: own.name}", NetworkSpec(name="own.name", labels=NAMESPACE)),
        (
            (
                "{internal: 'true', labels: {a: b},"
                " driver_opts: {com.docker.network.driver.mtu: 1400}}"
            ),
            NetworkSpec(
                name="shop_n",
                internal=True,
                labels={"a": "b", **NAMESPACE},
                driver_options={"com.docker.network.driver.mtu": "1400"},
            ),
        ),
        (
            "{ipam: {driver: default, config: [{subnet: 10.7.0.0/24}]}}",
            NetworkSpec(name="shop_n", labels=NAMESPACE, subnet="10.7.0.0/24"),
        ),
        ("{ipam: {config: []}}", NetworkSpec(name="shop_n", labels=NAMESPACE)),
    ],
)
def test_networks(stack: StackFolder, settings: str, expected: NetworkSpec) -> None:
    assert network(stack, settings) == expected


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            "{name: host}",
            ("2:22: networks.n.name: host is a network of the engine itself; choose another name"),
        ),
        (
            "{name: 'a b'}",
            (
                "2:16: networks.n.name: "
                "the name 'a b' has other characters than letters, digits, -, _ and ."
            ),
        ),
        (
            "{ipam: {config: [{subnet: 10.7.0.5/24}]}}",
            (
                "2:41: networks.n.ipam.config[0].subnet: "
                "10.7.0.5/24 has bits behind its prefix; did you mean 10.7.0.0/24?"
            ),
        ),
        (
            "{ipam: {config: [{subnet: x}]}}",
            ("2:41: networks.n.ipam.config[0].subnet: 'x' is no subnet such as 10.7.0.0/24"),
        ),
        (
            "{ipam: {config: [{subnet: 'fd00::/64'}]}}",
            (
                "2:41: networks.n.ipam.config[0].subnet: "
                "a cluster has no IPv6 subnets yet; write an IPv4 subnet"
            ),
        ),
        (
            "{ipam: {config: [{subnet: 10.0.0.0/30}]}}",
            (
                "2:41: networks.n.ipam.config[0].subnet: "
                "a subnet smaller than /29 has no room for tasks"
            ),
        ),
        (
            "{ipam: {config: [{subnet: 127.0.0.0/8}]}}",
            ("2:41: networks.n.ipam.config[0].subnet: 127.0.0.0/8 cannot be used for containers"),
        ),
        (
            "{ipam: {config: [{subnet: 10.7.0.0/24}, {subnet: 10.8.0.0/24}]}}",
            "2:64: networks.n.ipam.config[1].subnet: a network has one subnet in a cluster",
        ),
        ("{intrnal: true}", "2:16: networks.n.intrnal: unknown key; did you mean internal?"),
        ("[x]", "2:15: networks.n: must be a mapping, not a list"),
    ],
)
def test_network_mistakes(stack: StackFolder, settings: str, problem: str) -> None:
    text = f"services: {{web: {{image: x, networks: [n]}}}}\nnetworks: {{n: {settings}}}\n"
    assert stack.problems(text) == [problem]


def test_the_default_network_is_made_when_a_service_is_on_it(stack: StackFolder) -> None:
    spec = stack.load("services: {web: {image: x}}")
    assert spec.networks == (NetworkSpec(name="shop_default", labels=NAMESPACE),)
    assert spec.services[0].task.networks == (
        NetworkAttachment(network="shop_default", aliases=("web",)),
    )


def test_the_default_network_may_have_settings(stack: StackFolder) -> None:
    spec = stack.load("services: {web: {image: x}}\nnetworks: {default: {internal: true}}")
    assert spec.networks == (NetworkSpec(name="shop_default", internal=True, labels=NAMESPACE),)


def test_a_network_that_no_service_is_on_is_not_made_and_noted(stack: StackFolder) -> None:
    text = "services: {web: {image: x, networks: [a]}}\nnetworks: {a: , b: }"
    assert [found.name for found in stack.load(text).networks] == ["shop_a"]
    assert stack.notes(text) == [
        "2:17: networks.b: no service is on this network, so it is not made"
    ]


def test_a_service_answers_to_its_short_name_and_its_aliases(stack: StackFolder) -> None:
    text = """
    services:
      web:
        image: x
        networks: {b: {aliases: [app, web, app]}, a: }
    networks: {a: {name: outer}, b: }
    """
    assert stack.load(text).services[0].task.networks == (
        NetworkAttachment(network="outer", aliases=("web",)),
        NetworkAttachment(network="shop_b", aliases=("web", "app")),
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "networks: [fornt]",
            ("4:16: services.web.networks[0]: undefined network 'fornt'; did you mean front?"),
        ),
        (
            "networks: {other: }",
            (
                "4:16: services.web.networks.other: undefined network 'other'; "
                "declare it under the top-level networks:"
            ),
        ),
        (
            "networks: [front, front]",
            "4:23: services.web.networks[1]: network front is named twice",
        ),
        (
            "networks: {front: {aliases: ['a b']}}",
            (
                "4:34: services.web.networks.front.aliases[0]: "
                "'a b' cannot be looked up: letters, digits, -, _ and . only"
            ),
        ),
        (
            "networks: {front: {aliases: a}}",
            ("4:33: services.web.networks.front.aliases: must be a list of names, not text (a)"),
        ),
        (
            "networks: front",
            (
                "4:15: services.web.networks: must be a list or a mapping of networks, "
                "not text (front)"
            ),
        ),
    ],
)
def test_mistakes_in_the_networks_of_a_service(stack: StackFolder, body: str, problem: str) -> None:
    assert stack.service_problems(body, rest="networks: {front: }") == [problem]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{driver_opts: [a]}", "4:28: volumes.v.driver_opts: must be a mapping, not a list"),
        ("{name: ''}", "4:15: volumes.v.name: is empty; give it a value, or remove the key"),
        ("text", "4:14: volumes.v: must be a mapping, not text (text)"),
    ],
)
def test_volume_mistakes(stack: StackFolder, settings: str, problem: str) -> None:
    assert stack.service_problems("", rest=f"volumes: {{v: {settings}}}") in (
        [problem],
        [problem.replace("4:", "5:", 1)],
    )


def test_a_volume_may_have_an_exact_name(stack: StackFolder) -> None:
    service = stack.service('volumes: ["v:/x"]', rest="volumes: {v: {name: exact}}")
    assert service.task.container.mounts[0].source == "exact"


def test_the_folder_of_a_local_bind_volume_is_made_absolute(stack: StackFolder) -> None:
    rest = "volumes: {v: {driver_opts: {type: none, o: 'bind,ro', device: ./here}}}"
    service = stack.service('volumes: ["v:/x"]', rest=rest)
    options = service.task.container.mounts[0].volume_driver_options
    assert options["device"] == str(stack.folder / "here")


def test_configs_from_a_file_and_from_the_stack_itself(stack: StackFolder) -> None:
    stack.write("conf/app.conf", b"\x00binary\xff")
    stack.environment["WHO"] = "ü"
    text = """
    services:
      web:
        image: x
        configs:
          - app
          - {source: inline, target: etc/inline, uid: "101", gid: "102", mode: 0440}
          - {source: inline, target: /etc/two, mode: "0400"}
    configs:
      app: {file: ./conf/app.conf, labels: {a: b}}
      inline: {content: "hello $WHO", name: greeting.1}
    """
    spec = stack.load(text)
    assert spec.configs == (
        ConfigSpec(name="shop_app", content=b"\x00binary\xff", labels={"a": "b", **NAMESPACE}),
        ConfigSpec(name="greeting.1", content="hello ü".encode(), labels=NAMESPACE),
    )
    assert spec.services[0].task.container.configs == (
        ConfigReference(name="shop_app", target="/app"),
        ConfigReference(name="greeting.1", target="/etc/inline", uid="101", gid="102", mode=0o440),
        ConfigReference(name="greeting.1", target="/etc/two", mode=0o400),
    )


def test_a_config_of_exactly_1000_kib_fits(stack: StackFolder) -> None:
    stack.write("big", b"x" * (1000 << 10))
    spec = stack.load("services: {}\nconfigs: {c: {file: big}}")
    assert len(spec.configs[0].content) == 1000 << 10


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{}", "1:11: configs.c: has neither file nor content; add file: PATH"),
        ("", "1:11: configs.c: has no value; a mapping is expected; give one or remove the key"),
        ("{file: a, content: b}", "1:24: configs.c.content: excludes file; keep one of the two"),
        (
            "{content: 5}",
            "1:24: configs.c.content: must be text, not a number (5); put it in quotes",
        ),
        (
            "{content: x, name: a/b}",
            (
                "1:27: configs.c.name: "
                "the name 'a/b' has other characters than letters, digits, -, _ and ."
            ),
        ),
        (
            "{content: x, name: " + "n" * 65 + "}",
            "1:27: configs.c.name: the name " + "n" * 59 + "… has 65 of at most 64 characters",
        ),
    ],
)
def test_config_mistakes(stack: StackFolder, settings: str, problem: str) -> None:
    assert stack.problems(f"configs: {{c: {settings}}}") == [problem]


@pytest.mark.parametrize(
    ("name", "reason"), [("nope", "No such file or directory"), (".", "Is a directory")]
)
def test_a_config_file_must_be_a_file(stack: StackFolder, name: str, reason: str) -> None:
    (problem,) = stack.problems(f"configs:\n  c:\n    file: {name}\n")
    assert problem.startswith("3:11: configs.c.file: cannot read ")
    assert problem.endswith(reason)


def test_a_config_of_more_than_1000_kib_is_refused(stack: StackFolder) -> None:
    stack.write("big", b"x" * ((1000 << 10) + 1))
    (problem,) = stack.problems("configs:\n  c:\n    file: big\n")
    assert problem.endswith("big is larger than 1000 KiB")
    content = "y" * (1001 << 10)
    (problem,) = stack.problems(f"configs:\n  c:\n    content: {content}\n")
    assert (
        problem == "3:14: configs.c.content: a config has at most 1000 KiB, and this one has 1001"
    )


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "nope",
            (
                "4:15: services.web.configs[0]: undefined config 'nope'; "
                "declare it under the top-level configs:"
            ),
        ),
        (
            "{target: /x}",
            ("4:15: services.web.configs[0]: no source is given; add source: and the config's key"),
        ),
        (
            "{source: c, uid: 5}",
            ("4:32: services.web.configs[0].uid: must be text, not a number (5); put it in quotes"),
        ),
        (
            "{source: c, gid: root}",
            ("4:32: services.web.configs[0].gid: must be a number in quotes, not 'root'"),
        ),
        (
            "{source: c, mode: 99999}",
            (
                "4:33: services.web.configs[0].mode: "
                "must be a file mode such as 0440, not a number (99999)"
            ),
        ),
        (
            "{source: c, mode: rw}",
            ("4:33: services.web.configs[0].mode: must be a file mode such as 0440, not text (rw)"),
        ),
        ("5", "4:15: services.web.configs[0]: must be text, not a number (5); put it in quotes"),
    ],
)
def test_mistakes_in_the_configs_of_a_service(
    stack: StackFolder, written: str, problem: str
) -> None:
    found = stack.service_problems(f"configs: [{written}]", rest="configs: {c: {content: x}}")
    assert found == [problem]
