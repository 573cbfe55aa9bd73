"""`ports`: the short form, ranges, the long form, and what is refused."""

import pytest

from stackctl.model.specs import PortMode, PortSpec
from tests.unit.compose.stack_folder import StackFolder


def port(published: int, target: int, protocol: str = "tcp") -> PortSpec:
    return PortSpec(target=target, published=published, protocol=protocol)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("80", [port(0, 80)]),
        ('"80"', [port(0, 80)]),
        ('":80"', [port(0, 80)]),
        ('"0:80"', [port(0, 80)]),
        ('"8080:80"', [port(8080, 80)]),
        ("8080:80", [port(8080, 80)]),
        ("22:22", [port(22, 22)]),
        ("53:53/udp", [port(53, 53, "udp")]),
        ("53:53/UDP", [port(53, 53, "udp")]),
        ("9:9/sctp", [port(9, 9, "sctp")]),
        ("0.0.0.0:80:80", [port(80, 80)]),
        ("0.0.0.0::80", [port(0, 80)]),
        ('":::80:80"', [port(80, 80)]),
        ('"[::]:80:80"', [port(80, 80)]),
        ("80-80:80", [port(80, 80)]),
        ("3000-3002", [port(0, 3000), port(0, 3001), port(0, 3002)]),
        ("3000-3001:4000-4001", [port(3000, 4000), port(3001, 4001)]),
        ("8000-8002:80", [port(8000, 80), port(8001, 80), port(8002, 80)]),
        ("65535:65535", [port(65535, 65535)]),
        ("{target: 80}", [port(0, 80)]),
        ("{target: 80, published: 8080}", [port(8080, 80)]),
        ('{target: "80", published: "8080"}', [port(8080, 80)]),
        ('{target: 80, published: "8000-8001"}', [port(8000, 80), port(8001, 80)]),
        ('{target: 80, published: ""}', [port(0, 80)]),
        ("{target: 53, published: 53, protocol: udp}", [port(53, 53, "udp")]),
        ("{target: 80, published: 80, host_ip: 0.0.0.0}", [port(80, 80)]),
        ("{target: 80, published: 80, name: web, app_protocol: http}", [port(80, 80)]),
        ("{target: 80, published: 80, x-note: mine}", [port(80, 80)]),
    ],
)
def test_forms(stack: StackFolder, written: str, expected: list[PortSpec]) -> None:
    assert list(stack.service(f"ports:\n  - {written}").ports) == expected


def test_host_mode_publishes_on_the_node_of_the_task(stack: StackFolder) -> None:
    (found,) = stack.service("ports: [{target: 80, published: 8080, mode: host}]").ports
    assert found == PortSpec(target=80, published=8080, mode=PortMode.HOST)


def test_ports_are_sorted_so_that_their_order_in_the_file_changes_nothing(
    stack: StackFolder,
) -> None:
    one = stack.service('ports: ["81:81", "80:80", 443]')
    assert one == stack.service('ports: [443, "80:80", "81:81"]')


def test_a_port_said_twice_alike_counts_once_with_a_note(stack: StackFolder) -> None:
    body = 'ports: ["80:80", "80:80/tcp", "81", "81"]'
    assert [found.target for found in stack.service(body).ports] == [80, 81]
    assert stack.notes(stack.service_text(body)) == [
        "4:22: services.web.ports[1]: port 80 is published twice alike; once is enough"
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('"80:"', "there is no container port"),
        ('""', "there is no container port"),
        ('"x"', "'x' is no port and no range of ports"),
        ('"80:x"', "'x' is no port"),
        ('"8080:80:90"', "'8080' is no IP address"),
        ('"-1:80"', "'-1' is no port"),
        ("-80", "'-80' is no port"),
        ('"70000:80"', "a port is at most 65535, not 70000"),
        ('"80:70000"', "a port is at most 65535"),
        ('"90-80:80"', "the range 90-80 ends before it begins"),
        ('"80-82:80-81"', "3 published ports cannot pair with 2 ports"),
        ('"80:80-81"', "1 published ports cannot pair with 2 ports"),
        ('"80:0"', "a container port is at least 1"),
        ("80.5", "must be a port"),
        ("true", "must be a port"),
        ("[80]", "must be a port"),
        ("", "has no value"),
        ('"80:80/http"', "the protocol is 'http', not tcp or udp or sctp"),
        ('"80:80/tcp/udp"', "the protocol is 'tcp/udp'"),
        ('"80:80/"', "the protocol is ''"),
        ('"localhost:80:80"', "'localhost' is no IP address"),
        ('"127.0.0.1:80:80"', "a published port is open on every node"),
        ('"::1:80:80"', "a published port is open on every node"),
        ("{published: 80}", "no target is given"),
        ("{target: 80, mode: mesh}", "must be ingress or host, not text (mesh)"),
        ("{target: 80, protocol: http}", "must be tcp, udp or sctp"),
        ("{target: 80, publised: 80}", "unknown key; did you mean published?"),
        ("{target: 0}", "a container port is at least 1"),
        ("{target: 1.5}", "must be a port or a range of ports"),
        ("{target: 80, published: [80]}", "must be a port or a range of ports"),
        ("{target: 80-81, published: 80-82}", "3 published ports cannot pair with 2 ports"),
        ("{target: 80, host_ip: 10.0.0.1}", "a published port is open on every node"),
    ],
)
def test_mistakes(stack: StackFolder, written: str, message: str) -> None:
    (problem,) = stack.service_problems(f"ports:\n  - {written}")
    assert problem.startswith("5:")
    assert "services.web.ports[0]" in problem
    assert message in problem


def test_a_file_cannot_publish_more_ports_than_there_are(stack: StackFolder) -> None:
    (problem,) = stack.service_problems('ports: ["1-65535", "1-3/udp"]')
    assert problem.endswith("ports[1]: the file publishes more ports than there are")


def test_ports_must_be_a_list(stack: StackFolder) -> None:
    assert stack.service_problems("ports: 80:80") == [
        "4:12: services.web.ports: must be a list of ports, not text (80:80)"
    ]
