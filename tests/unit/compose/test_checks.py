"""What only makes sense across sections."""

from pathlib import Path

import pytest

from stackctl.compose.problems import ComposeProblems
from tests.local_stacks import document
from tests.unit.compose.stack_folder import StackFolder


def test_two_services_cannot_publish_one_port(stack: StackFolder) -> None:
    text = """\
    services:
      a: {image: x, ports: ["80:80", "81:81/udp"]}
      b:
        image: x
        ports:
          - "81:81"
          - target: 8080
            published: 80
    """
    assert stack.problems(text) == [
        (
            "7:9: services.b.ports[1]: port 80/tcp is already published by service a; "
            "it is published first at line 2"
        )
    ]


def test_one_service_cannot_publish_a_port_for_two_targets(stack: StackFolder) -> None:
    assert stack.service_problems('ports: ["80:80", "80:81"]') == [
        (
            "4:22: services.web.ports[1]: port 80/tcp is already published by service web; "
            "it is published first at line 4"
        )
    ]


HOST = "{target: 80, published: 80, mode: host}"


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("'80:80'", HOST, True),
        (HOST, "'80:80'", True),
        (HOST, HOST, False),
        ("'80'", "'80'", False),
    ],
)
def test_a_host_port_clashes_with_the_mesh_only(
    stack: StackFolder, first: str, second: str, clash: bool
) -> None:
    text = f"services:\n  a: {{image: x, ports: [{first}]}}\n  b: {{image: x, ports: [{second}]}}\n"
    assert len(stack.problems(text)) == clash


def test_one_service_cannot_hold_a_host_port_twice(stack: StackFolder) -> None:
    body = f"ports: [{HOST}, {HOST.replace('target: 80', 'target: 81')}]"
    (problem,) = stack.service_problems(body)
    assert "port 80/tcp is already published by service web" in problem


def test_dnsrr_has_no_address_that_the_mesh_could_use(stack: StackFolder) -> None:
    body = f"ports: ['81:81', {HOST}]\ndeploy: {{endpoint_mode: dnsrr}}"
    assert stack.service_problems(body) == [
        (
            "4:13: services.web.ports[0]: a service with endpoint_mode: dnsrr cannot "
            "publish a port "
            "through the mesh; write the port with mode: host, or use endpoint_mode: vip"
        )
    ]


@pytest.mark.parametrize("name", ["update", "rollback"])
def test_start_first_cannot_share_a_host_port(stack: StackFolder, name: str) -> None:
    body = f"ports: [{HOST}]\ndeploy: {{{name}_config: {{order: start-first}}}}"
    assert stack.service_problems(body) == [
        (
            "4:13: services.web.ports[0]: a new task cannot start first "
            f"({name}_config.order) where the old one holds host port 80; "
            "use order: stop-first, or mode: ingress"
        )
    ]


def test_start_first_is_fine_with_a_port_of_the_mesh(stack: StackFolder) -> None:
    stack.service("ports: ['80:80']\ndeploy: {update_config: {order: start-first}}")


@pytest.mark.parametrize(
    ("section", "settings"), [("networks", "{name: same}"), ("configs", "{name: same, content: x}")]
)
def test_two_objects_cannot_have_one_name(stack: StackFolder, section: str, settings: str) -> None:
    text = f"{section}:\n  a: {settings}\n  b: {settings}\n"
    assert stack.problems(text) == [
        (f"3:3: {section}.b: has the same name same as {section}.a; give one of them another name:")
    ]


def test_subnets_of_one_file_must_not_overlap(stack: StackFolder) -> None:
    text = """\
    networks:
      a: {ipam: {config: [{subnet: 10.7.0.0/16}]}}
      b: {ipam: {config: [{subnet: 10.8.0.0/16}]}}
      c: {ipam: {config: [{subnet: 10.7.1.0/24}]}}
    """
    assert stack.problems(text) == [
        (
            "4:32: networks.c.ipam.config[0].subnet: "
            "subnet 10.7.1.0/24 overlaps 10.7.0.0/16 of network a"
        )
    ]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (
            "a.b",
            (
                "a service's name has letters, digits, - and _, and begins and ends with a letter "
                "or digit"
            ),
        ),
        ("x" * 59, "the full name shop_" + "x" * 54 + "… has 64 of at most 63 characters"),
    ],
)
def test_names_of_services(stack: StackFolder, key: str, problem: str) -> None:
    (found,) = stack.problems(f"services:\n  {key}:\n    image: x\n")
    assert found.startswith("2:3: ")
    assert found.endswith(problem)


@pytest.mark.parametrize("key", ["a.b", "web-", "_x", ".a", "x" * 90])
def test_one_engine_takes_all_names_of_services_that_compose_takes(
    tmp_path: Path, key: str
) -> None:
    assert document(tmp_path, f"services: {{{key}: {{image: x}}}}").services[0].key == key
    with pytest.raises(ComposeProblems, match="a service's name has letters"):
        document(tmp_path, f"services: {{'{key}!': {{image: x}}}}")
