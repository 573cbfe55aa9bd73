"""Keys of a service that no container has: names, exposed ports, files of labels, networks."""

from pathlib import Path

import pytest

from stackctl.compose.parts.attachments import CredentialSpec
from tests.unit.compose.document_reading import read_service, service_problems
from tests.unit.compose.stack_folder import StackFolder


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("container_name: web_1.a", "container_name", "web_1.a"),
        ("profiles: [dev, x1, dev]", "profiles", ("dev", "x1")),
        ("attach: false", "attach", False),
        ("use_api_socket: true", "use_api_socket", True),
        ("expose: [80, '90-95', 53/UDP, '80']", "expose", ("80/tcp", "90-95/tcp", "53/udp")),
        ("restart: unless-stopped", "restart_word", "unless-stopped"),
        ("restart: on-failure:3", "restart_word", "on-failure:3"),
        ("", "restart_word", ""),
    ],
)
def test_keys(body: str, field: str, value: object) -> None:
    assert getattr(read_service(body), field) == value


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("", ["default"]),
        ("networks: []", ["default"]),
        ("networks: [a]", ["a"]),
        ("network_mode: host", []),
        ("network_mode: none", []),
        ("network_mode: ''", ["default"]),
    ],
)
def test_a_service_with_a_network_mode_is_on_no_network(body: str, keys: list[str]) -> None:
    assert [use.key for use in read_service(body).networks] == keys


def test_other_sections_are_read_too() -> None:
    body = """
    build: .
    depends_on: [db]
    links: [db:store]
    volumes_from: [db:ro]
    secrets: [key]
    models: [llm]
    develop: {watch: [{path: ., action: rebuild}]}
    provider: {type: tool}
    pre_start: [{command: a}]
    post_start: [{command: a}]
    pre_stop: [{command: a}]
    external_links: [other]
    credential_spec: {registry: r}
    """
    service = read_service(body)
    assert service.build is not None
    assert [dependency.key for dependency in service.depends_on] == ["db"]
    assert [link.alias for link in service.links] == ["store"]
    assert [use.source for use in service.volumes_from] == ["db"]
    assert [use.key for use in service.secrets] == ["key"]
    assert [use.key for use in service.models] == ["llm"]
    assert service.develop is not None
    assert service.provider is not None
    assert [len(hooks) for hooks in (service.pre_start, service.post_start, service.pre_stop)] == [
        1,
        1,
        1,
    ]
    assert [link.container for link in service.external_links] == ["other"]
    assert service.windows is not None
    assert isinstance(service.windows.credential_spec, CredentialSpec)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("container_name: -a", "container_name: '-a' is no name: two or more letters, digits"),
        ("container_name: a", "container_name: 'a' is no name"),
        ("profiles: [a b]", "profiles[0]: 'a b' is no name"),
        ("profiles: [-a]", "profiles[0]: '-a' is no name: letters, digits, _, . and -"),
        ("profiles: dev", "profiles: must be a list of profiles, not text (dev)"),
        ("expose: [x]", "expose[0]: 'x' is no port and no range of ports"),
        ("expose: [80/tpc]", "expose[0]: the protocol is 'tpc', not tcp, udp or sctp"),
        ("attach: 1", "attach: must be true or false"),
    ],
)
def test_mistakes(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert problem in found


def test_a_profile_may_have_one_letter() -> None:
    assert read_service("profiles: [a, b]").profiles == ("a", "b")


def test_ports_keep_their_address_and_the_range_they_were_written_as() -> None:
    ports = read_service('ports: ["127.0.0.1:8000-8001:80"]').ports
    assert [use.spec.published for use in ports] == [8000, 8001]
    assert {(use.host_ip, use.one_of) for use in ports} == {("127.0.0.1", (8000, 8001))}
    long = "{target: 80, published: 80, host_ip: '::1', name: web, app_protocol: http}"
    (use,) = read_service(f"ports: [{long}]").ports
    assert (use.host_ip, use.name, use.app_protocol, use.one_of) == ("::1", "web", "http", None)


def test_one_port_may_be_published_at_two_addresses() -> None:
    ports = read_service('ports: ["127.0.0.1:80:80", "10.0.0.1:80:80"]').ports
    assert [use.host_ip for use in ports] == ["127.0.0.1", "10.0.0.1"]


def test_labels_win_over_files_of_labels(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x=1\ny='2 3'\n", encoding="utf-8")
    (tmp_path / "b").write_text("y=4\nz=5\n", encoding="utf-8")
    service = read_service("label_file: [a, b]\nlabels: {z: '6'}", base=tmp_path)
    assert service.container.labels == {"x": "1", "y": "4", "z": "6"}
    (tmp_path / "c").write_text("stackctl.x=1\n", encoding="utf-8")
    (problem,) = service_problems("label_file: c", base=tmp_path)
    assert "label stackctl.x is reserved for stackctl itself" in problem


def test_a_raw_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf# note\n\n  A=1 # 'x' $Y \nB=\"q\"\r\nC=\nHOME\n"
    (tmp_path / "raw").write_bytes(content)
    service = read_service("env_file: [{path: raw, format: raw}]", base=tmp_path)
    assert service.container.environment == ("A=1 # 'x' $Y ", 'B="q"', "C=")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"A=1\n=2\n", "raw:2:1: '' cannot be the name of a variable"),
        (b"A B=1\n", "raw:1:1: 'A B' cannot be the name of a variable"),
        (b"A=1\nB=\xff\n", "raw:2:1: is not UTF-8 text"),
        (b"A=\0\n", "raw:1:1: a value has a NUL character"),
    ],
)
def test_mistakes_in_a_raw_file(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "raw").write_bytes(content)
    body = "env_file: [{path: raw, format: raw}]"
    assert service_problems(body, base=tmp_path) == [problem]


def test_nothing_is_published_on_the_network_of_the_node(stack: StackFolder) -> None:
    text = stack.service_text("network_mode: host\nports: [80]")
    document_service = read_service("network_mode: host\nports: [80]")
    assert len(document_service.ports) == 1
    assert any("has no effect with network_mode: host" in note for note in stack.notes(text))
    service = stack.service("network_mode: host\nports: [80]")
    assert service.ports == ()
    assert service.task.networks == ()
    assert service.task.container.network_mode == "host"


def test_the_mesh_does_not_reach_the_bridge_of_a_node(stack: StackFolder) -> None:
    (problem,) = stack.service_problems("network_mode: bridge\nports: [80]")
    assert "the mesh does not reach a service with network_mode: bridge" in problem
    own = "network_mode: bridge\nports: [{target: 80, published: 80, mode: host}]"
    assert [port.published for port in stack.service(own).ports] == [80]
