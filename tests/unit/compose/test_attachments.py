"""How a service uses networks, configs, secrets and credentials."""

import pytest

from stackctl.compose.parts.attachments import CredentialSpec, NetworkUse, SecretUse
from tests.unit.compose.document_reading import read_service, service_problems


def test_everything_that_a_service_can_say_of_a_network() -> None:
    body = """
    networks:
      front:
        aliases: [www, app, www]
        ipv4_address: 10.7.0.5
        ipv6_address: "FD00::0005"
        link_local_ips: [169.254.1.1, "fe80::1"]
        mac_address: 02-42-AC-11-00-02
        driver_opts: {com.example.mtu: 1400}
        priority: 100
        gw_priority: -1
        interface_name: eth9
        x-note: mine
      back:
    """
    front, back = read_service(body).networks
    assert front == NetworkUse(
        "front",
        front.place,
        aliases=("www", "app"),
        ipv4_address="10.7.0.5",
        ipv6_address="fd00::5",
        link_local_ips=("169.254.1.1", "fe80::1"),
        mac_address="02:42:ac:11:00:02",
        driver_options={"com.example.mtu": "1400"},
        priority=100,
        gateway_priority=-1,
        interface_name="eth9",
    )
    assert back == NetworkUse("back", back.place)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{ipv4_address: 'fd00::1'}", "ipv4_address: 'fd00::1' is no IPv4 address"),
        ("{ipv6_address: 10.0.0.1}", "ipv6_address: '10.0.0.1' is no IPv6 address"),
        ("{link_local_ips: [x]}", "link_local_ips[0]: 'x' is no IP address"),
        ("{mac_address: 02:42}", "mac_address: '02:42' is no MAC address such as"),
        ("{mac_address: '02:42-ac:11:00:02'}", "mac_address: '02:42-ac:11:00:02' is no MAC"),
        ("{priority: high}", "priority: must be a whole number, not text (high)"),
        ("{interface_name: 'too long for a name'}", "interface_name: 'too long for a name' is no"),
        ("{interface_name: '..'}", "interface_name: '..' is no name of an interface"),
        ("{driver_opts: [a]}", "driver_opts: must be a mapping, not a list"),
        ("{alias: [a]}", "alias: unknown key; did you mean aliases?"),
    ],
)
def test_mistakes_of_a_service_on_a_network(settings: str, problem: str) -> None:
    (found,) = service_problems(f"networks: {{n: {settings}}}")
    assert found.partition(": ")[2].startswith(f"services.web.networks.n.{problem}")


def test_secrets_lie_under_run_secrets_unless_they_say_where() -> None:
    body = """
    secrets:
      - token
      - {source: key, uid: "101", gid: "102", mode: 0400}
      - {source: key, target: id_rsa}
      - {source: key, target: /etc/key}
    """
    found = read_service(body).secrets
    assert [type(use) for use in found] == [SecretUse] * 4
    assert [(use.key, use.target) for use in found] == [
        ("token", "/run/secrets/token"),
        ("key", "/run/secrets/key"),
        ("key", "/run/secrets/id_rsa"),
        ("key", "/etc/key"),
    ]
    assert (found[1].uid, found[1].gid, found[1].mode) == ("101", "102", 0o400)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("secrets: token", "4:14: services.web.secrets: must be a list of secrets, not text"),
        (
            "secrets: [{target: x}]",
            ("4:15: services.web.secrets[0]: no source is given; add source: and the secret's key"),
        ),
        ("secrets: ['']", "4:15: services.web.secrets[0]: is empty"),
        ("secrets: [{source: a, mde: 1}]", "4:27: services.web.secrets[0].mde: unknown key; did"),
        ("credential_spec: {}", "4:5: services.web.credential_spec: names nothing; add config:"),
        (
            "credential_spec: {file: a, registry: b}",
            "4:32: services.web.credential_spec.registry: a service has one credential spec",
        ),
    ],
)
def test_mistakes_in_uses(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("written", "field", "content"),
    [
        ("{config: creds}", "config", "creds"),
        ("{file: creds.json}", "file", "/stack/creds.json"),
        ("{registry: creds}", "registry", "creds"),
    ],
)
def test_credentials_have_one_source(written: str, field: str, content: str) -> None:
    windows = read_service(f"credential_spec: {written}").windows
    assert windows is not None
    credentials = windows.credential_spec
    assert credentials is not None
    assert credentials == CredentialSpec(credentials.place, **{field: content})
