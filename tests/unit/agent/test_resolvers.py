"""Reading the node's own name servers."""

from pathlib import Path

from agent.drivers import resolvers


def test_the_first_three_servers_are_read() -> None:
    text = (
        "# made by hand\nsearch example.com\nnameserver 127.0.0.53\nnameserver\n"
        "nameserver not-an-address\nnameserver fe80::1%eth0\nnameserver 127.0.0.53\n"
        "nameserver 192.0.2.1 # office\nnameserver 192.0.2.2\n"
    )
    assert resolvers.parse_servers(text) == ("127.0.0.53", "fe80::1%eth0", "192.0.2.1")


def test_our_own_addresses_are_never_asked(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 10.77.1.1\nnameserver 192.0.2.1\n")
    assert resolvers.NodeResolvers(path).servers(own={"10.77.1.1"}) == ("192.0.2.1",)


def test_a_node_without_the_file_has_no_servers(tmp_path: Path) -> None:
    assert resolvers.NodeResolvers(tmp_path / "missing").servers(own=()) == ()
