"""The manager's command line."""

import pytest

from stackctl.errors import InputError
from stackctl.manager.settings import api_address_of, parse_settings, raft_address_of

NEEDED = ("--advertise-address", "192.0.2.7")


def test_the_raft_port_follows_from_the_port_of_the_api() -> None:
    settings = parse_settings([*NEEDED, "--api-port", "3000", "--hostname", "m1"])
    assert settings.api_address == "192.0.2.7:3000"
    assert settings.raft_address == "192.0.2.7:3001"
    assert api_address_of(settings.raft_address) == settings.api_address
    assert raft_address_of("[2001:db8::1]:2477") == "[2001:db8::1]:2478"


def test_it_listens_where_it_is_reached_unless_told_otherwise() -> None:
    assert parse_settings(NEEDED).listen_address == "192.0.2.7"
    assert parse_settings([*NEEDED, "--listen-address", "0.0.0.0"]).listen_address == "0.0.0.0"


@pytest.mark.parametrize(
    "flags",
    [
        ["--bootstrap", "--join", "192.0.2.1:2477", "--join-token", "x"],
        ["--join", "192.0.2.1:2477"],
        ["--join-token", "x"],
        ["--listen-address", "localhost"],
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags: list[str]) -> None:
    with pytest.raises(InputError):
        parse_settings([*NEEDED, *flags])
