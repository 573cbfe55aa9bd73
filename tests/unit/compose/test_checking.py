"""What only makes sense across sections, for a cluster, one host, or both."""

from pathlib import Path

import pytest

from stackctl.compose.load import examine
from stackctl.compose.request import Loaded, LoadRequest
from stackctl.compose.verdicts.rules import Target
from tests.unit.compose.document_reading import service_problems
from tests.unit.compose.stack_folder import StackFolder

BOTH = (Target.CLUSTER, Target.LOCAL)


def _examined(stack: StackFolder, text: str, target: Target) -> Loaded:
    stack.write("stack.yml", text)
    request = LoadRequest(
        environment={"HOME": str(Path("/root"))}, paths=("stack.yml",), stack_name="shop"
    )
    return examine(request, target)


def _problems(stack: StackFolder, text: str, target: Target) -> list[str]:
    found = _examined(stack, text, target).problems
    return [str(problem).removeprefix("stack.yml:") for problem in found]


def _services(**bodies: str) -> str:
    lines = "\n".join(f"  {key}: {{image: x, {body}}}" for key, body in bodies.items())
    return f"services:\n{lines}\n"


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("networks: [bakc]", "undefined network 'bakc'; did you mean back?"),
        ("volumes: ['dta:/x']", "undefined volume 'dta'; did you mean data?"),
        ("volumes: ['q:/x']", "undefined volume 'q'; declare it under the top-level volumes:, or"),
        ("configs: [cnf]", "undefined config 'cnf'; did you mean conf?"),
        ("depends_on: [databse]", "undefined service 'databse'; did you mean database?"),
        (
            "depends_on: {q: {condition: service_started}}",
            "undefined service 'q'; declare it under services:, or choose its profile",
        ),
    ],
)
def test_names_must_be_defined(stack: StackFolder, body: str, problem: str, target: Target) -> None:
    text = _services(database="", web=body)
    text += "networks: {back: }\nvolumes: {data: }\nconfigs: {conf: {content: x}}\n"
    (found,) = _problems(stack, text, target)
    assert found.startswith("3:")
    assert problem in found


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("secrets: [tokn]", "3:29: services.web.secrets[0]: undefined secret 'tokn'; did you mean"),
        ("models: [chta]", "3:28: services.web.models[0]: undefined model 'chta'; did you mean"),
        ("links: [databse]", "3:27: services.web.links[0]: undefined service 'databse'; did you"),
        ("links: ['q:db']", "3:27: services.web.links[0]: undefined service 'q'"),
        ("volumes_from: ['q:ro']", "3:34: services.web.volumes_from[0]: undefined service 'q'"),
        ("network_mode: 'service:q'", "3:19: services.web.network_mode: undefined service 'q'"),
        ("ipc: 'service:q'", "3:19: services.web.ipc: undefined service 'q'"),
        ("pid: 'service:q'", "3:19: services.web.pid: undefined service 'q'"),
        (
            "build: {additional_contexts: {a: 'service:q'}}",
            "3:52: services.web.build.additional_contexts.a: undefined service 'q'",
        ),
        (
            "build: {additional_contexts: {a: 'service:database'}}",
            (
                "3:52: services.web.build.additional_contexts.a: "
                "service database has no build:, so it gives no context"
            ),
        ),
        (
            "build: {secrets: [tokn]}",
            "3:37: services.web.build.secrets[0]: undefined secret 'tokn'; did you mean token?",
        ),
        (
            "credential_spec: {config: q}",
            "3:19: services.web.credential_spec: undefined config 'q'",
        ),
    ],
)
def test_names_of_one_host_must_be_defined(stack: StackFolder, body: str, problem: str) -> None:
    text = _services(database="", web=body)
    text += "secrets: {token: {file: stack.yml}}\nmodels: {chat: {model: x}}\n"
    found = _problems(stack, text, Target.LOCAL)
    assert [line for line in found if line.startswith(problem)], found


def test_a_dependency_that_is_not_required_is_noted(stack: StackFolder) -> None:
    body = "depends_on: {q: {condition: service_started, required: false}}"
    loaded = _examined(stack, _services(web=body), Target.CLUSTER)
    assert not loaded.problems
    assert [note.message for note in loaded.notes] == [
        "there is no service q, so it is not waited for"
    ]


@pytest.mark.parametrize("target", BOTH)
def test_a_ring_of_dependencies_is_named(stack: StackFolder, target: Target) -> None:
    text = _services(
        a="depends_on: [b]", b="depends_on: [c]", c="depends_on: [a, d]", d="depends_on: [d]"
    )
    assert _problems(stack, text, target) == [
        (
            "4:30: services.c.depends_on[0]: the services wait for each other: a -> b -> c -> a; "
            "remove one of these dependencies"
        ),
        (
            "5:30: services.d.depends_on[0]: the services wait for each other: d -> d; "
            "remove one of these dependencies"
        ),
    ]


def test_a_ring_may_be_implied(stack: StackFolder) -> None:
    text = _services(a="links: [b]", b="network_mode: 'service:c'", c="volumes_from: [a]")
    (found,) = _problems(stack, text, Target.LOCAL)
    assert "the services wait for each other: a -> b -> c -> a" in found


def test_services_in_layers_are_no_ring(stack: StackFolder) -> None:
    text = _services(a="depends_on: [b, c]", b="depends_on: [d]", c="depends_on: [d]", d="")
    assert _problems(stack, text, Target.CLUSTER) == []


def test_a_chain_as_long_as_a_file_can_have_is_walked(stack: StackFolder) -> None:
    bodies = {f"s{number}": f"depends_on: [s{number + 1}]" for number in range(3000)}
    (found,) = _problems(stack, _services(**bodies, s3000="depends_on: [s0]"), Target.CLUSTER)
    assert "s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> … -> s2996" in found


def test_a_health_check_that_is_off_is_not_waited_for(stack: StackFolder) -> None:
    text = _services(
        db="healthcheck: {disable: true}",
        web="depends_on: {db: {condition: service_healthy}}",
    )
    assert _problems(stack, text, Target.CLUSTER) == [
        (
            "3:32: services.web.depends_on.db: service db has its health check switched off, "
            "so it never becomes healthy; use condition: service_started"
        )
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "network_mode: host, networks: [n]",
            "2:39: services.web.networks: excludes network_mode, which is host; keep one",
        ),
        (
            "network_mode: none, ports: ['80:80']",
            "2:39: services.web.ports: a service with network_mode: none cannot publish ports",
        ),
        (
            "network_mode: 'container:x', ports: ['80:80']",
            "2:48: services.web.ports: a service with network_mode: container:x cannot publish",
        ),
        (
            "container_name: one, deploy: {replicas: 2}",
            "2:19: services.web.container_name: 2 replicas cannot all be called one",
        ),
        (
            "platform: linux/arm64, build: {platforms: [linux/amd64]}",
            "2:42: services.web.build: platforms of the build do not contain the service's",
        ),
        (
            "volumes: ['./a:/x'], tmpfs: /x/",
            "2:47: services.web.tmpfs: /x is mounted twice in this service; it is mounted first",
        ),
        (
            "secrets: [t, {source: t, target: t}]",
            "2:41: services.web.secrets[1].source: /run/secrets/t is mounted twice in this",
        ),
        (
            "secrets: [t], configs: [{source: c, target: /run/secrets/t}]",
            "2:29: services.web.secrets[0]: /run/secrets/t is mounted twice in this service",
        ),
    ],
)
def test_contradictions_within_a_service(stack: StackFolder, body: str, problem: str) -> None:
    text = _services(web=body)
    text += "networks: {n: }\nsecrets: {t: {file: stack.yml}}\nconfigs: {c: {content: x}}\n"
    (found,) = _problems(stack, text, Target.LOCAL)
    assert found.startswith(problem)


def test_ports_in_the_hosts_network_are_noted(stack: StackFolder) -> None:
    text = _services(web="network_mode: host, ports: ['80:80']")
    loaded = _examined(stack, text, Target.LOCAL)
    assert not loaded.problems
    assert [note.message for note in loaded.notes] == ["has no effect with network_mode: host"]


def test_container_names_are_given_once(stack: StackFolder) -> None:
    text = _services(a="container_name: it", b="container_name: it")
    assert _problems(stack, text, Target.LOCAL) == [
        (
            "3:17: services.b.container_name: service a has the same container_name it; "
            "give one of them another name"
        )
    ]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("80:80", "80:81", True),
        ("127.0.0.1:80:80", "80:81", True),
        ("80:80", "127.0.0.1:80:81", True),
        ("0.0.0.0:80:80", "[::1]:80:81", True),
        ("127.0.0.1:80:80", "127.0.0.2:80:81", False),
        ("127.0.0.1:80:80", "127.0.0.1:80:81", True),
        ("80:80/udp", "80:81", False),
        ("80", "80", False),
    ],
)
def test_ports_of_one_host_clash_by_address(
    stack: StackFolder, first: str, second: str, clash: bool
) -> None:
    text = _services(a=f"ports: ['{first}']", b=f"ports: ['{second}']")
    found = _problems(stack, text, Target.LOCAL)
    assert [line.partition("]: ")[2] for line in found] == (
        ["port 80/tcp is already published by service a; it is published first at line 2"]
        if clash
        else []
    )


@pytest.mark.parametrize(("port", "may"), [("80:80", False), ("8080-8082:80", True), ("80", True)])
def test_replicas_on_one_host_do_not_share_a_port(stack: StackFolder, port: str, may: bool) -> None:
    text = _services(web=f"ports: ['{port}'], deploy: {{replicas: 3}}")
    found = _problems(stack, text, Target.LOCAL)
    assert [line.partition(": ")[2].partition(";")[0] for line in found] == (
        [] if may else ["services.web.ports[0]: 3 replicas on one host cannot all publish port 80"]
    )
    assert _problems(stack, text, Target.CLUSTER) == []


@pytest.mark.parametrize("target", BOTH)
def test_ports_that_have_no_effect_do_not_clash(stack: StackFolder, target: Target) -> None:
    on_node = "network_mode: host, ports: ['80:80'], deploy: {replicas: 2}"
    assert _problems(stack, _services(a=on_node, b=on_node), target) == []


def test_subnets_overlap_within_a_network_and_between_networks(stack: StackFolder) -> None:
    text = """\
networks:
  a: {ipam: {config: [{subnet: 10.7.0.0/16}, {subnet: 10.7.5.0/24}]}}
  b: {ipam: {config: [{subnet: 'fd00::/32'}]}}
  c: {ipam: {config: [{subnet: 'fd00:0:5::/48'}]}}
"""
    assert _problems(stack, text, Target.LOCAL) == [
        (
            "2:55: networks.a.ipam.config[1].subnet: "
            "subnet 10.7.5.0/24 overlaps 10.7.0.0/16 of another subnet"
        ),
        (
            "4:32: networks.c.ipam.config[0].subnet: "
            "subnet fd00:0:5::/48 overlaps fd00::/32 of network b"
        ),
    ]


@pytest.mark.parametrize(
    ("bodies", "problem"),
    [
        (
            {"web": "networks: {n: {ipv4_address: 10.8.0.5}}"},
            "10.8.0.5 is not within the subnet 10.7.0.0/24 of the network",
        ),
        (
            {"web": "networks: {plain: {ipv4_address: 10.8.0.5}}"},
            (
                "10.8.0.5 needs a network with a subnet of its own; add ipam: with config: and a "
                "subnet to networks.plain"
            ),
        ),
        (
            {
                "a": "networks: {n: {ipv4_address: 10.7.0.5}}",
                "b": "networks: {n: {ipv4_address: 10.7.0.5}}",
            },
            "address 10.7.0.5 is already that of service a; give one of them another address",
        ),
        (
            {"web": "networks: {n: {ipv4_address: 10.7.0.5}}, deploy: {replicas: 2}"},
            "2 replicas cannot share the address 10.7.0.5; remove the address, or use one replica",
        ),
    ],
)
def test_addresses_that_cannot_be_given(
    stack: StackFolder, bodies: dict[str, str], problem: str
) -> None:
    text = _services(**bodies)
    text += "networks: {plain: , n: {ipam: {config: [{subnet: 10.7.0.0/24}]}}}\n"
    (found,) = _problems(stack, text, Target.LOCAL)
    assert found.endswith(problem)


def test_an_external_network_gives_the_addresses_that_it_gives(stack: StackFolder) -> None:
    text = _services(web="networks: {n: {ipv4_address: 10.8.0.5}}") + "networks: {n: {external: y}}"
    assert _problems(stack, text, Target.LOCAL) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            "{external: true, name: host}",
            (
                "host is a network of each node's engine, not of the cluster; "
                "give the services network_mode: host, or let the stack make a network"
            ),
        ),
        (
            "{internal: true}",
            (
                "all networks of the service are internal, so the mesh cannot reach it; "
                "attach another network at line 2, or write the port with mode: host"
            ),
        ),
    ],
)
def test_networks_that_no_cluster_has(stack: StackFolder, settings: str, problem: str) -> None:
    text = _services(web="networks: [n], ports: ['80:80']") + f"networks: {{n: {settings}}}\n"
    (found,) = _problems(stack, text, Target.CLUSTER)
    assert found.endswith(problem)


def test_a_network_of_another_stack_is_used_by_its_full_name(stack: StackFolder) -> None:
    text = """
    services: {web: {image: x, networks: [theirs], configs: [conf], volumes: ['data:/d']}}
    networks: {theirs: {external: true, name: other_net}}
    configs: {conf: {external: true, name: other_conf}}
    volumes: {data: {external: true}}
    """
    spec = stack.load(text)
    assert (spec.networks, spec.configs) == ((), ())
    (service,) = spec.services
    assert [attachment.network for attachment in service.task.networks] == ["other_net"]
    container = service.task.container
    assert [reference.name for reference in container.configs] == ["other_conf"]
    (mount,) = container.mounts
    assert (mount.source, mount.external, mount.volume_labels) == ("data", True, {})


def test_all_problems_of_a_file_are_told_in_its_order(stack: StackFolder) -> None:
    text = _services(
        a="networks: [q], ports: ['80:80'], depends_on: [b]",
        b="configs: [q], ports: ['80:81'], depends_on: [a]",
    )
    text += "networks: {x: {ipam: {config: [{subnet: 10.0.0.0/8}]}},"
    text += " y: {ipam: {config: [{subnet: 10.1.0.0/16}]}}}\n"
    found = _problems(stack, text, Target.CLUSTER)
    positions = [tuple(map(int, line.split(":")[:2])) for line in found]
    assert positions == sorted(positions)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("{delay: 10s, window: 5s}", "is shorter than delay, so no two restarts would ever be"),
        ("{delay: 5s, window: 5s}", ""),
        ("{delay: 5s, window: 0s}", ""),
        ("{window: 1s}", ""),
    ],
)
def test_a_window_holds_more_than_one_delay(policy: str, problem: str) -> None:
    found = service_problems(f"deploy: {{restart_policy: {policy}}}")
    start = f"4:51: services.web.deploy.restart_policy.window: {problem}"
    assert [line[: len(start)] for line in found] == ([start] if problem else [])


def test_a_link_gives_the_other_service_one_more_name(stack: StackFolder) -> None:
    text = """
    services:
      web: {image: x, links: ['db:data', cache], networks: [front, back]}
      job: {image: x, links: ['db:data', 'db:store'], networks: [back]}
      db: {image: x, networks: [back, own]}
      cache: {image: x, networks: [back]}
    networks: {front: , back: , own: }
    """
    services = {service.name: service for service in stack.load(text).services}
    names = {each.network: each.aliases for each in services["shop_db"].task.networks}
    assert names == {"shop_back": ("db", "data", "store"), "shop_own": ("db",)}
    assert [item.service for item in services["shop_web"].depends_on] == ["shop_cache", "shop_db"]


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        ("['db:other']", "'other' already means service other on network default"),
        ("['db:shared']", "'shared' already means service other on network default"),
        ("['db:x', 'other:x']", "'x' already means service db on network default"),
        ("[apart]", "the service and apart share no network; put both on one network"),
        ("['db:a b']", "'a b' cannot be looked up"),
    ],
)
def test_links_that_a_cluster_cannot_have(stack: StackFolder, links: str, problem: str) -> None:
    text = _services(
        web=f"links: {links}",
        db="",
        other="networks: {default: {aliases: [shared]}}",
        apart="networks: [n]",
    )
    (found,) = _problems(stack, text + "networks: {n: }\n", Target.CLUSTER)
    assert found.startswith(("2:27: ", "2:35: "))
    assert problem.replace("'", "") in found.replace("'", "")
