"""The small languages inside values: quantities, commands, names, images, constraints."""

import pytest

from stackctl.compose.grammar import names
from stackctl.compose.grammar.constraints import Constraint, ConstraintError, parse_constraint
from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.compose.grammar.quantities import parse_bytes, parse_cpus, parse_duration
from stackctl.compose.grammar.shell_words import split_words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5s", 5),
        ("+5s", 5),
        ("1m30s", 90),
        ("90s", 90),
        ("1h30m5.5s", 5405.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("500ms", 0.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1ns", 1e-9),
        ("2d", 172800),
        ("1w", 604800),
        ("1s1s", 2),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        "5 s",
        "5S",
        "1y",
        "-5s",
        ".s",
        "5s ",
        "1m-2s",
        "٣s",
        "300y",
        "20000w",
        "1s" * 99,
    ],
)
def test_texts_that_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("65536", 65536),
        ("1b", 1),
        ("1k", 1 << 10),
        ("1kb", 1 << 10),
        ("1KiB", 1 << 10),
        ("50M", 50 << 20),
        ("50mb", 50 << 20),
        ("50 MiB", 50 << 20),
        ("1.5gb", 1610612736),
        (".5g", 1 << 29),
        ("1t", 1 << 40),
        ("1P", 1 << 50),
    ],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "-5m", "5x", "5kbb", "5 k b", "1e", "5ki", "9999999p", "٣k"]
)
def test_texts_that_are_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0.5", 500_000_000),
        ("2", 2_000_000_000),
        (".25", 250_000_000),
        ("1.", 10**9),
        ("0.000000001", 1),
    ],
)
def test_cpus_are_counted_in_billionths(text: str, nano: int) -> None:
    assert parse_cpus(text) == nano


@pytest.mark.parametrize("text", ["", ".", "-1", "0.0000000001", "1,5", "two", "1e3", "10%"])
def test_texts_that_are_no_cpus(text: str) -> None:
    with pytest.raises(ValueError, match="CPUs"):
        parse_cpus(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("  ", ()),
        ("a b\tc\nd", ("a", "b", "c", "d")),
        ("a 'b c' \"d e\"", ("a", "b c", "d e")),
        ("x '' y", ("x", "", "y")),
        ('a"b"c', ("abc",)),
        ("a\\ b", ("a b",)),
        ("a\\tb \\n", ("atb", "n")),
        ('"q\\"x\\n"', ('q"xn',)),
        ("'s\\n'", ("s\\n",)),
        ("a && b; c | d > e", ("a", "&&", "b;", "c", "|", "d", ">", "e")),
        ("wget http://x/?a=1&b=2", ("wget", "http://x/?a=1&b=2")),
        ("echo $(x y) `z`", ("echo", "$(x", "y)", "`z`")),
        ("a \\\n  --b", ("a", "--b")),
        ("a # b", ("a", "#", "b")),
        ("é 'ü'", ("é", "ü")),
    ],
)
def test_commands_are_split_without_a_shell(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("text", ["it's", 'a "b', "a\\", '"a\\'])
def test_open_quotes_and_trailing_backslashes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not closed|backslash"):
        split_words(text)


@pytest.mark.parametrize("name", ["web", "web-1", "a_b", "A", "9", "x" * 58])
def test_service_names_that_swarm_takes(name: str) -> None:
    assert names.service_name_complaint(name, "shop") is None


@pytest.mark.parametrize(
    "name", ["", "-web", "web-", "_x", "a.b", "a b", "ü", "x" * 59, "a" * 5000 + "!"]
)
def test_service_names_that_swarm_refuses(name: str) -> None:
    assert names.service_name_complaint(name, "shop")


@pytest.mark.parametrize("name", ["", "-x", "a/b", "a b", "x" * 63])
def test_stack_names_that_are_refused(name: str) -> None:
    assert names.stack_name_complaint(name)


@pytest.mark.parametrize("name", ["web", "web.example.org", "my_host", "a-1"])
def test_hostnames(name: str) -> None:
    assert names.is_hostname(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a..b", "a b", "ü", "x" * 64])
def test_texts_that_are_no_hostnames(name: str) -> None:
    assert not names.is_hostname(name)


@pytest.mark.parametrize(
    "reference",
    [
        "nginx",
        "nginx:1.25",
        "library/nginx:latest",
        "registry.example.org:5000/team/app:v1",
        "localhost/app",
        "localhost:5000/app",
        "REGISTRY.example.org/app",
        "[::1]:5000/app",
        "a__b/c--d.e:T_1",
        "nginx@sha256:" + "a" * 64,
        "nginx:1.25@sha256:" + "a" * 64,
    ],
)
def test_image_references(reference: str) -> None:
    assert image_complaint(reference) is None


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("", "is empty"),
        ("Nginx", "'Nginx' must be in lower case"),
        ("team/App", "'App' must be in lower case"),
        ("nginx:", "'' is no tag"),
        ("nginx:a b", "has no blanks"),
        (" nginx", "has no blanks"),
        ("nginx:-x", "'-x' is no tag"),
        ("nginx:" + "x" * 129, "is no tag"),
        ("nginx@sha256:12", "after @ comes a digest"),
        ("a//b", "empty part"),
        ("/nginx", "empty part"),
        ("-nginx", "letters and digits"),
        ("a..b", "letters and digits"),
        ("http://x/y", "is no registry"),
        ("a" * 64, "names it on one node only"),
        ("b/" + "a" * 300, "longer than 255"),
        ("a" * 100 + "_" * 100 + "!", "letters and digits"),
    ],
)
def test_texts_that_are_no_image_references(reference: str, complaint: str) -> None:
    assert complaint in (image_complaint(reference) or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node.role==manager", Constraint("node.role", "==", "manager")),
        ("node.role == Worker", Constraint("node.role", "==", "Worker")),
        (" node.labels.disk  !=  ssd ", Constraint("node.labels.disk", "!=", "ssd")),
        ("node.labels.a.b-c==x y", Constraint("node.labels.a.b-c", "==", "x y")),
        ("engine.labels.os == ubuntu 22.04", Constraint("engine.labels.os", "==", "ubuntu 22.04")),
        ("node.ip==10.0.0.0/24", Constraint("node.ip", "==", "10.0.0.0/24")),
        ("node.ip!=fd00::1", Constraint("node.ip", "!=", "fd00::1")),
        ("node.hostname==n*(a|b)", Constraint("node.hostname", "==", "n*(a|b)")),
        ("node.platform.arch==x86_64", Constraint("node.platform.arch", "==", "x86_64")),
        (" node.hostname  in ( a,b )", Constraint("node.hostname", "in", "a, b")),
        ("node.role NOT IN(manager)", Constraint("node.role", "not in", "manager")),
    ],
)
def test_constraints(text: str, expected: Constraint) -> None:
    assert parse_constraint(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one operator, ==, !=, in or not in"),
        ("node.role=manager", "one operator, ==, !=, in or not in"),
        ("node.role", "one operator, ==, !=, in or not in"),
        ("==x", "'' is no key"),
        ("1a==x", "'1a' is no key"),
        ("node.label.disk==ssd", "no node has node.label.disk"),
        ("node.labels.==ssd", "no node has node.labels."),
        ("Node.Role==manager", "no node has Node.Role"),
        ("node.id==", "there is no value"),
        ("node.id==a=b", "is no value"),
        ("node.id==ü", "is no value"),
        ("node.role==boss", "manager or worker, never boss"),
        ("node.ip==here", "neither an address nor a subnet"),
        ("node.id in a, b", "one operator, ==, !=, in or not in"),
        ("node.id in (a, )", "there is no value"),
        ("node.role not in (worker, boss)", "manager or worker, never boss"),
        ("node.label.disk in (ssd)", "no node has node.label.disk"),
    ],
)
def test_texts_that_are_no_constraints(text: str, message: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse_constraint(text)
    assert message in str(caught.value)
