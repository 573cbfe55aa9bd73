"""Everything that the top-level networks, volumes, configs and secrets can say."""

from pathlib import Path

import pytest

from stackctl.compose.parts.objects import Config, Ipam, IpamPool, Network, Secret, Volume
from tests.unit.compose.document_reading import DocumentText


def _network(settings: str) -> Network:
    return DocumentText(f"networks: {{n: {settings}}}").document.networks["n"]


def test_everything_that_a_network_can_say() -> None:
    found = _network(
        "{name: exact, driver: macvlan, driver_opts: {parent: eth0, mtu: 1400}, labels: [a=b],"
        " internal: 'yes', attachable: true, enable_ipv4: false, enable_ipv6: true, x-note: 1,"
        " ipam: {driver: default, options: {foo: bar}, config: ["
        "{subnet: 10.7.0.0/16, ip_range: 10.7.3.0/24, gateway: 10.7.0.1,"
        " aux_addresses: {router: 10.7.0.2}}, {subnet: 'fd00:7::/64'}, {}]}}"
    )
    assert found.ipam is not None
    first, second, third = found.ipam.pools
    assert found == Network(
        "n",
        found.place,
        "exact",
        driver="macvlan",
        driver_options={"parent": "eth0", "mtu": "1400"},
        labels={"a": "b"},
        internal=True,
        attachable=True,
        enable_ipv4=False,
        enable_ipv6=True,
        extensions={"x-note": 1},
        ipam=Ipam(
            driver="default",
            options={"foo": "bar"},
            pools=(
                IpamPool(
                    subnet="10.7.0.0/16",
                    ip_range="10.7.3.0/24",
                    gateway="10.7.0.1",
                    aux_addresses={"router": "10.7.0.2"},
                    place=first.place,
                ),
                IpamPool(subnet="fd00:7::/64", place=second.place),
                IpamPool(place=third.place),
            ),
        ),
    )


@pytest.mark.parametrize("settings", ["", "{}", "{external: false}", "{external: 'no'}"])
def test_a_network_of_the_file_has_the_name_of_the_stack_before_it(settings: str) -> None:
    found = _network(settings)
    assert (found.name, found.external, found.ipam) == ("shop_n", False, None)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("{external: true}", "n"),
        ("{external: 'true'}", "n"),
        ("{external: true, name: other_net}", "other_net"),
        ("{external: {name: other_net}}", "other_net"),
        ("{external: {name: other_net}, name: other_net}", "other_net"),
        ("{external: {}}", "n"),
        ("{external: true, name: host, x-note: 1}", "host"),
    ],
)
def test_an_external_network_has_its_own_name_or_its_key(settings: str, name: str) -> None:
    found = _network(settings)
    assert (found.name, found.external) == (name, True)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            "{external: true, driver: overlay}",
            (
                "networks.n.driver: cannot be said of an object that is external; "
                "remove it, or remove external:"
            ),
        ),
        ("{external: true, labels: {}}", "networks.n.labels: cannot be said of an object that"),
        (
            "{external: {name: a}, name: b}",
            "networks.n.external.name: the object is already named b; keep one of the names",
        ),
        ("{external: {nam: a}}", "networks.n.external.nam: unknown key; did you mean name?"),
        ("{external: maybe}", "networks.n.external: must be true or false, not text (maybe)"),
        ("{driver: ''}", "networks.n.driver: is empty"),
        ("{enable_ipv6: 1}", "networks.n.enable_ipv6: must be true or false, not a number (1)"),
        (
            "{ipam: {config: [{subnet: 10.7.0.0/24, gateway: 10.8.0.1}]}}",
            "networks.n.ipam.config[0].gateway: 10.8.0.1 is not within the subnet 10.7.0.0/24",
        ),
        (
            "{ipam: {config: [{gateway: x}]}}",
            "networks.n.ipam.config[0].gateway: 'x' is no IP address",
        ),
        (
            "{ipam: {config: [{subnet: 10.7.0.0/24, ip_range: 10.7.0.0/16}]}}",
            "networks.n.ipam.config[0].ip_range: 10.7.0.0/16 is not within the subnet 10.7.0.0/24",
        ),
        (
            "{ipam: {config: [{subnet: 10.7.0.0/24, ip_range: 'fd00::/64'}]}}",
            "networks.n.ipam.config[0].ip_range: fd00::/64 is not within the subnet 10.7.0.0/24",
        ),
        (
            "{ipam: {config: [{subnet: 10.7.0.0/24, aux_addresses: {a: 10.9.0.1}}]}}",
            "networks.n.ipam.config[0].aux_addresses.a: 10.9.0.1 is not within the subnet",
        ),
        ("{ipam: {config: {subnet: a}}}", "networks.n.ipam.config: must be a list of subnets"),
        ("{ipam: {confg: []}}", "networks.n.ipam.confg: unknown key; did you mean config?"),
    ],
)
def test_mistakes_in_a_network(settings: str, problem: str) -> None:
    (found,) = DocumentText(f"networks: {{n: {settings}}}").problems
    assert found.partition(": ")[2].startswith(problem)


def test_everything_that_a_volume_can_say() -> None:
    text = """
    volumes:
      plain:
      full:
        name: exact
        driver: nfs
        driver_opts: {o: 'bind,ro', device: ./data, size: 5}
        labels: {a: b}
        x-note: [1]
      own: {external: true}
      named: {external: {name: theirs}}
    """
    volumes = DocumentText(text).document.volumes
    assert volumes["full"] == Volume(
        "full",
        volumes["full"].place,
        "exact",
        driver="nfs",
        driver_options={"o": "bind,ro", "device": "/stack/data", "size": "5"},
        labels={"a": "b"},
        extensions={"x-note": [1]},
    )
    assert [(volume.name, volume.external) for volume in volumes.values()] == [
        ("shop_plain", False),
        ("exact", False),
        ("own", True),
        ("theirs", True),
    ]


def test_configs_have_one_source(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"\x00\xff")
    text = """
    configs:
      file: {file: ./a.conf, labels: {a: b}, template_driver: golang}
      variable: {environment: WORD}
      inline: {content: hello}
      empty: {content: ''}
      theirs: {external: true, name: other_conf}
    """
    read = DocumentText(text, base=tmp_path, variables={"WORD": "ü"})
    found = read.document.configs
    assert found["file"] == Config(
        "file",
        found["file"].place,
        "shop_file",
        labels={"a": "b"},
        file=str(tmp_path / "a.conf"),
        data=b"\x00\xff",
        template_driver="golang",
    )
    assert (found["variable"].environment, found["variable"].data) == ("WORD", "ü".encode())
    assert (found["inline"].content, found["inline"].data) == ("hello", b"hello")
    assert (found["empty"].content, found["empty"].data) == ("", b"")
    assert (found["theirs"].name, found["theirs"].external) == ("other_conf", True)
    assert found["theirs"].data is None


def test_secrets_have_one_source(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0p")
    text = """
    secrets:
      file: {file: token}
      variable: {environment: WORD, name: exact}
      driven: {driver: vault, driver_opts: {path: a/b}}
      inline: {content: hello}
      theirs: {external: {name: other}}
    """
    read = DocumentText(text, base=tmp_path, variables={"WORD": "s3cret"})
    found = read.document.secrets
    assert {type(secret) for secret in found.values()} == {Secret}
    assert found["file"].data == b"t0p"
    assert (found["variable"].name, found["variable"].data) == ("exact", b"s3cret")
    assert (found["driven"].driver, found["driven"].driver_options) == ("vault", {"path": "a/b"})
    assert found["driven"].data is None
    assert found["theirs"].name == "other"
    assert read.notes == ["6:3: secrets.inline: what is written in the Compose file is no secret"]


@pytest.mark.parametrize(
    ("section", "settings", "problem"),
    [
        ("secrets", "{}", "secrets.s: has neither file nor environment; add file: PATH"),
        (
            "secrets",
            "{environment: NOPE}",
            "secrets.s.environment: the variable NOPE is not set; set it, or use file:",
        ),
        ("secrets", "{environment: ''}", "secrets.s.environment: is empty"),
        ("secrets", "{file: nope}", "secrets.s.file: cannot read"),
        ("secrets", "", "secrets.s: has no value; a mapping is expected"),
        (
            "secrets",
            "{file: a, environment: WORD}",
            "secrets.s.environment: excludes file; keep one of the two",
        ),
        (
            "secrets",
            "{external: true, file: a}",
            "secrets.s.file: cannot be said of an object that is external",
        ),
        (
            "configs",
            "{content: a, external: {name: b}}",
            "configs.s.content: cannot be said of an object that is external",
        ),
        ("configs", "{environment: WORD, fle: b}", "configs.s.fle: unknown key; did you mean fi"),
    ],
)
def test_mistakes_in_configs_and_secrets(section: str, settings: str, problem: str) -> None:
    read = DocumentText(f"{section}: {{s: {settings}}}", variables={"WORD": "x"})
    (found,) = read.problems
    assert found.partition(": ")[2].startswith(problem)


def test_a_secret_is_never_part_of_a_message() -> None:
    read = DocumentText("secrets: {s: {environment: BIG}}", variables={"BIG": "x" * (501 << 10)})
    assert read.problems == [
        "1:28: secrets.s.environment: a secret has at most 500 KiB, and this one has 501"
    ]
